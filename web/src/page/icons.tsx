import type { ReactNode } from 'react';

function Icon({ children }: { children: ReactNode }): ReactNode {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const SoundOn = (): ReactNode => (
  <Icon>
    <path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z" />
    <path d="M15.5 9a4 4 0 0 1 0 6M18 6.5a7.6 7.6 0 0 1 0 11" />
  </Icon>
);

export const SoundOff = (): ReactNode => (
  <Icon>
    <path d="M4 9.5v5h3.5L12 18.5v-13L7.5 9.5z" />
    <path d="m16 9.5 5 5m0-5-5 5" />
  </Icon>
);

export const FullScreen = (): ReactNode => (
  <Icon>
    <path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5" />
  </Icon>
);

export const Chevron = (): ReactNode => (
  <Icon>
    <path d="m6 9.5 6 6 6-6" />
  </Icon>
);

export const Moon = (): ReactNode => (
  <Icon>
    <path d="M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z" />
  </Icon>
);

export const Sun = (): ReactNode => (
  <Icon>
    <circle cx="12" cy="12" r="4" />
    <path d="M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4" />
  </Icon>
);

export const Gate = (): ReactNode => (
  <Icon>
    <path d="M4 3v18M20 3v18" />
    <path d="M8 8.5c1.3-1.2 2.7-1.2 4 0s2.7 1.2 4 0M8 13c1.3-1.2 2.7-1.2 4 0s2.7 1.2 4 0M8 17.5c1.3-1.2 2.7-1.2 4 0s2.7 1.2 4 0" />
  </Icon>
);

export const Person = (): ReactNode => (
  <Icon>
    <circle cx="12" cy="8" r="3" />
    <path d="M6.5 19c.4-3.4 2.5-5.2 5.5-5.2s5.1 1.8 5.5 5.2" />
    <path d="M3 7V4a1 1 0 0 1 1-1h3M17 3h3a1 1 0 0 1 1 1v3M21 17v3a1 1 0 0 1-1 1h-3M7 21H4a1 1 0 0 1-1-1v-3" />
  </Icon>
);

export const Sliders = (): ReactNode => (
  <Icon>
    <path d="M4 7h9m4 0h3M4 17h3m4 0h9" />
    <circle cx="15" cy="7" r="2" />
    <circle cx="9" cy="17" r="2" />
  </Icon>
);

export const Arrows = (): ReactNode => (
  <Icon>
    <path d="M4 8h13m0 0-3.5-3.5M17 8l-3.5 3.5M20 16H7m0 0 3.5-3.5M7 16l3.5 3.5" />
  </Icon>
);
