import type { ChannelPair, SetupAnswer } from './application.ts';
import { Refusal } from './refusal.ts';
import {
  formatInterleavedTransport,
  formatMulticastTransport,
  formatUdpTransport,
  type TransportOption,
} from './transport.ts';
import { chooseTransport, type ServerTransports } from './transport-choice.ts';

/** How one track is to travel. */
export interface TrackTransport {
  readonly track: string;
  readonly mode: 'play' | 'record';
  readonly profile: string;
  /** See SetupRequest. */
  readonly channels: ChannelPair;
  readonly clientPorts?: readonly [number, number];
  readonly multicast?: true;
}

/** How the tracks of one session travel. */
export class TrackTransports {
  readonly #offered: ServerTransports;
  #tracks: readonly TrackTransport[] = [];

  constructor(offered: ServerTransports) {
    this.#offered = offered;
  }

  /** See chooseTransport. */
  choose(header: string | undefined, publishes: boolean): TransportOption {
    return chooseTransport(header, this.#offered, publishes);
  }

  /**
   * What the client's choice comes to beside the tracks that are set up; nothing is kept yet.
   * @throws Refusal 400 when no channels are left, or some tracks are to go to a group and others not
   */
  plan(option: TransportOption, track: string, mode: 'play' | 'record'): TrackTransport {
    const { profile } = option;
    const beside = this.#beside(track, mode);
    const channels = chooseChannels(option, beside);
    if (beside.some(({ multicast = false }) => multicast !== option.multicast)) {
      throw new Refusal(400, 'All tracks of a session come by multicast, or none.');
    }
    if (option.multicast) return { track, mode, profile, channels, multicast: true };
    return option.lower === 'UDP' && option.clientPorts
      ? { track, mode, profile, channels, clientPorts: option.clientPorts }
      : { track, mode, profile, channels };
  }

  /** The track is set up; gives the Transport header of the answer. */
  keep(transport: TrackTransport, { ssrc, group }: SetupAnswer = {}): string {
    const { track, mode, profile, channels, clientPorts } = transport;
    this.#tracks = [...this.#beside(track, mode), transport];
    if (group) return formatMulticastTransport(profile, group, ssrc);
    const { udp: serverPorts } = this.#offered;
    return clientPorts && serverPorts
      ? formatUdpTransport({ profile, clientPorts, serverPorts, mode, ssrc })
      : formatInterleavedTransport(channels, mode);
  }

  /** The session is over, and its channels are free again. */
  clear(): void {
    this.#tracks = [];
  }

  /**
   * A reader that sets a track up again, because nothing came over UDP, gives its former channels back. Tracks of a
   * publisher may have no names.
   */
  #beside(track: string, mode: 'play' | 'record'): readonly TrackTransport[] {
    return this.#tracks.filter((other) => mode === 'record' || other.track !== track);
  }
}

/** The channels that were asked for, or the next free pair where none were, or where they are taken already. */
function chooseChannels(option: TransportOption, others: readonly TrackTransport[]): ChannelPair {
  const isTaken = (channel: number) => others.some(({ channels }) => channels.includes(channel));
  const asked = option.lower === 'TCP' ? option.interleaved : undefined;
  if (asked && !asked.some(isTaken)) return asked;
  for (let channel = 0; channel < 255; channel += 2) {
    if (!isTaken(channel) && !isTaken(channel + 1)) return [channel, channel + 1];
  }
  throw new Refusal(400, 'There is no free pair of interleaved channels left.');
}
