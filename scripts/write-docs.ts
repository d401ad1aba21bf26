/** `npm run docs`: writes the pages of docs/ that are made from the sources. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configReference } from '../src/config/reference.ts';

const file = join(import.meta.dirname, '..', 'docs', 'configuration.md');
writeFileSync(file, configReference());
console.log(`wrote ${file}`);
