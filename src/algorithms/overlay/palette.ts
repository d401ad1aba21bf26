/**
 * Twelve colours for classes, told apart by people with any common colour blindness (after Okabe and Ito, and Tol's
 * light scheme), bright enough for dark pictures. Red is not among them: it is kept for alarms.
 */
export const classColours = [
  '#56b4e9',
  '#f0c23c',
  '#2fc49a',
  '#d991c2',
  '#9fe3ff',
  '#c3d548',
  '#e89f6a',
  '#8f9bff',
  '#f4eb8f',
  '#7fd1c8',
  '#ffc4d6',
  '#d9d9d9',
] as const;

/** Classes that are met most have a colour of their own, so that they never share one. */
const fixed: Readonly<Record<string, number>> = {
  person: 0,
  car: 1,
  bicycle: 2,
  motorcycle: 3,
  bus: 4,
  truck: 5,
  dog: 6,
  cat: 7,
  backpack: 8,
  handbag: 9,
  suitcase: 10,
};

/** The colour of a class: the same for the same label, everywhere and always. */
export function colourOf(label: string): string {
  const index = fixed[label] ?? hash(label) % classColours.length;
  return classColours[index] as string;
}

function hash(text: string): number {
  let value = 2166136261;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16777619);
  return value >>> 0;
}
