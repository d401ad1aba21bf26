/** Whether a path is that of a picture, by the end of its name. */
export function isImage(path: string): boolean {
  return /\.(?:jpe?g|png|webp|bmp|gif|tiff?)$/i.test(path);
}
