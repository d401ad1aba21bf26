import type { BrokerStatus } from '#bus/broker.ts';
import type { Bus } from '#bus/bus.ts';
import { RedisBroker } from '#bus/redis/broker.ts';
import { connectRedis } from '#bus/redis/client.ts';
import { type ChannelInfo, FrameChannels } from '#cameras/frame-channels.ts';
import { Frames, type RunTopics } from '#cameras/frames.ts';
import type { RunManager } from '#cameras/runs.ts';
import type { Config } from '#config/schema.ts';
import type { Hub } from '#hub/hub.ts';
import type { Logger } from './logger.ts';

export interface FramesRoom extends AsyncDisposable {
  readonly frames: Frames;
  readonly redis: BrokerStatus | undefined;
  /** The channel of a run. */
  channelOf(run: string): ChannelInfo | undefined;
  configure(settings: Config['redis']): void;
}

/** The frames of runs, and the way to Redis, where one is configured. */
export function createFramesRoom(options: {
  hub: Hub;
  runs: RunManager;
  bus: Bus<RunTopics>;
  settings: Config['redis'];
  log: Logger;
}): FramesRoom {
  const { hub, runs, bus, log } = options;
  const { clock } = hub.options;
  const frames = new Frames({ runs, bus, clock });
  const broker = new RedisBroker({ connect: connectRedis, clock, onStatus: (status) => tell(log, status) });
  let channels: FrameChannels | undefined;
  const configure = ({ url: addresses, channel, sharded, insecure }: Config['redis']) => {
    broker.configure(addresses.length > 0 ? { addresses, sharded, insecure } : undefined);
    if (addresses.length === 0) {
      channels?.[Symbol.dispose]();
      channels = undefined;
    } else if (channels) {
      channels.configure(channel);
    } else {
      const present = () => hub.streams.map(({ name }) => name);
      channels = new FrameChannels({ runs, frames, bus, broker, template: channel, present });
    }
  };
  configure(options.settings);
  hub.events.on('streamAdded', ({ name }) => channels?.streamChanged(name));
  hub.events.on('streamRemoved', ({ name }) => channels?.streamChanged(name));
  return {
    frames,
    get redis() {
      return broker.status;
    },
    channelOf: (run) => channels?.of(run),
    configure,
    async [Symbol.asyncDispose]() {
      channels?.[Symbol.dispose]();
      channels = undefined;
      await broker[Symbol.asyncDispose]();
      frames.close();
    },
  };
}

function tell(log: Logger, { state, address, reason }: BrokerStatus): void {
  if (reason !== undefined) log.warn({ redis: address }, reason);
  else if (state === 'connected') log.info({ redis: address }, 'connected to Redis');
}
