/** A failed request: an RTSP status, a sentence, and headers that belong to it. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];

  constructor(status: number, sentence: string, headers: readonly (readonly [string, string])[] = []) {
    super(sentence);
    this.status = status;
    this.headers = headers;
  }
}
