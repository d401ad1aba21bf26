/** hls.js without what this page has no use for (subtitles, other sound tracks, encryption); its types are the whole one's. */
declare module 'hls.js/light' {
  export { default, type ErrorData } from 'hls.js';
}
