/**
 * A number that moves at nearly constant speed, estimated from noisy measurements at irregular times: a Kalman filter
 * of position and speed, driven by white acceleration. Times in seconds; the unit of the number is the caller's.
 */
export class MovingValue {
  #position: number;
  #speed = 0;
  /** Variances of position and speed, and their covariance. */
  #positionVariance: number;
  #covariance = 0;
  #speedVariance: number;

  /** `noise` and `speedDeviation`: standard deviations of the first measurement and of the speed not yet known. */
  constructor(position: number, noise: number, speedDeviation: number) {
    this.#position = position;
    this.#positionVariance = noise ** 2;
    this.#speedVariance = speedDeviation ** 2;
  }

  get position(): number {
    return this.#position;
  }

  /** Change of the number per second. */
  get speed(): number {
    return this.#speed;
  }

  /** Standard deviation of the position. */
  get deviation(): number {
    return Math.sqrt(this.#positionVariance);
  }

  /** Moves on by `seconds`; `acceleration` is the standard deviation of the unknown acceleration, per second squared. */
  advance(seconds: number, acceleration: number): void {
    const power = acceleration ** 2;
    this.#position += this.#speed * seconds;
    this.#positionVariance +=
      seconds * (2 * this.#covariance + seconds * this.#speedVariance) + (power * seconds ** 4) / 4;
    this.#covariance += seconds * this.#speedVariance + (power * seconds ** 3) / 2;
    this.#speedVariance += power * seconds ** 2;
  }

  /** Takes in a measurement of the position with the standard deviation `noise`. */
  measure(value: number, noise: number): void {
    const total = this.#positionVariance + noise ** 2;
    const gain = this.#positionVariance / total;
    const speedGain = this.#covariance / total;
    const surprise = value - this.#position;
    this.#position += gain * surprise;
    this.#speed += speedGain * surprise;
    this.#speedVariance -= speedGain * this.#covariance;
    this.#covariance *= 1 - gain;
    this.#positionVariance *= 1 - gain;
  }
}
