/** A frame that the video element presented, with what the browser says about it. */
export interface VideoElementFrame {
  readonly picture: CanvasImageSource;
  readonly width: number;
  readonly height: number;
  /** Its own time on the element's timeline, seconds. */
  readonly seconds: number;
  /** The RTP timestamp that it came with, over WebRTC, where the browser says it of this very picture. */
  readonly rtpTimestamp: number | undefined;
  /** The picture is newer than what the callback tells of; it has a callback of its own coming. */
  readonly isNewer: boolean;
  /** When its last packet arrived, over WebRTC; ms as `performance.now()`. */
  readonly receiveTime: number | undefined;
  readonly skipped: number;
}

/** A browser whose VideoFrames are this far from the media timeline counts their time from somewhere else. */
const SAME_CLOCK_S = 1;
/** Times of one frame differ by their rounding at most. */
const SAME_FRAME_S = 0.0005;

/** Newer browsers say it of the frame itself; TypeScript does not know yet. */
type MarkedFrame = VideoFrame & { metadata?(): { readonly rtpTimestamp?: number } };

/** Hands over each frame that a video element presents, by `requestVideoFrameCallback`. */
export class VideoFrames {
  readonly #video: HTMLVideoElement;
  readonly #onFrame: (frame: VideoElementFrame) => void;
  #presented = 0;
  #callback: number;

  constructor(video: HTMLVideoElement, onFrame: (frame: VideoElementFrame) => void) {
    this.#video = video;
    this.#onFrame = onFrame;
    this.#callback = video.requestVideoFrameCallback(this.#frame);
  }

  /** Frame counters of the video element begin again with a new source. */
  reset(): void {
    this.#presented = 0;
  }

  close(): void {
    this.#video.cancelVideoFrameCallback(this.#callback);
  }

  #frame = (_now: number, metadata: VideoFrameCallbackMetadata): void => {
    this.#callback = this.#video.requestVideoFrameCallback(this.#frame);
    const gone = metadata.presentedFrames - this.#presented - 1;
    const skipped = this.#presented === 0 ? 0 : Math.max(0, gone);
    this.#presented = metadata.presentedFrames;
    const { videoWidth: width, videoHeight: height } = this.#video;
    const { receiveTime } = metadata;
    const frame = this.#pictureItself(metadata);
    if (!frame) {
      const { mediaTime: seconds, rtpTimestamp } = metadata;
      const about = { seconds, rtpTimestamp, isNewer: false, receiveTime };
      return this.#onFrame({ picture: this.#video, width, height, ...about, skipped });
    }
    const seconds = frame.timestamp / 1e6;
    const isNewer = Math.abs(seconds - metadata.mediaTime) >= SAME_FRAME_S;
    const rtpTimestamp = isNewer ? (frame as MarkedFrame).metadata?.().rtpTimestamp : metadata.rtpTimestamp;
    const about = { seconds, rtpTimestamp, isNewer, receiveTime };
    try {
      this.#onFrame({ picture: frame, width, height, ...about, skipped });
    } finally {
      frame.close();
    }
  };

  /**
   * The picture as a VideoFrame, which cannot come apart from its time: what the callback says belongs to the frame that
   * was presented when the callback was queued, and the element of a busy page may show a newer one already.
   */
  #pictureItself(metadata: VideoFrameCallbackMetadata): VideoFrame | undefined {
    // Plain HTTP from another machine is no secure context: there is no VideoFrame there.
    if (typeof VideoFrame !== 'function') return undefined;
    try {
      const frame = new VideoFrame(this.#video);
      if (Math.abs(frame.timestamp / 1e6 - metadata.mediaTime) < SAME_CLOCK_S) return frame;
      frame.close();
    } catch {
      // No frame at hand any more (the source was just replaced): the element still draws its last one.
    }
    return undefined;
  }
}
