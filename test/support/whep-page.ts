import { barcode } from './media.ts';

/**
 * For a page, as text: `watchByWhep(path, options)` watches a stream in `video`, or a new one, and resolves when the
 * server has answered. `began(pc, video, media)` is called before anything is asked; `answered(sdp, pc)` gives the
 * answer as the page is to see it.
 */
export const WATCH_BY_WHEP = `
const newVideo = () => {
  const video = Object.assign(document.createElement('video'), { autoplay: true });
  document.body.append(video);
  return video;
};
const watchByWhep = async (path, { video = newVideo(), began = () => {}, answered = (sdp) => sdp } = {}) => {
  const pc = new RTCPeerConnection();
  pc.addTransceiver('video', { direction: 'recvonly' });
  pc.addTransceiver('audio', { direction: 'recvonly' });
  const media = new MediaStream();
  video.srcObject = media;
  pc.ontrack = ({ track }) => media.addTrack(track);
  began(pc, video, media);
  await pc.setLocalDescription();
  const answer = await fetch(path, {
    method: 'POST', headers: { 'content-type': 'application/sdp' }, body: pc.localDescription.sdp });
  if (answer.status !== 201) throw new Error(await answer.text());
  const session = answer.headers.get('location');
  await pc.setRemoteDescription({ type: 'answer', sdp: answered(await answer.text(), pc) });
  return { pc, video, session };
};
`;

/** For a page, as text: `readNumber(video, canvas)` draws the picture and gives the number of its barcode, if it has one. */
export const READ_NUMBER = `
const readNumber = (video, canvas) => {
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(video, 0, 0);
  const row = context.getImageData(0, ${barcode.row}, canvas.width, 1).data;
  const isWhite = (x) => row[x * 4] > 128;
  if (!isWhite(${barcode.markerX})) return undefined;
  let number = 0;
  for (let bit = 0; bit < ${barcode.bits}; bit++)
    if (isWhite(${barcode.left} + ${barcode.cell} * bit + 16)) number += 2 ** bit;
  return number;
};
`;
