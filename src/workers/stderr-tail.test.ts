import { describe, expect, it } from 'vitest';
import { StderrTail } from './stderr-tail.ts';

function lastLineOf(...chunks: string[]): string | undefined {
  const tail = new StderrTail();
  for (const chunk of chunks) tail.push(Buffer.from(chunk));
  return tail.lastLine();
}

describe('StderrTail', () => {
  it('gives the last line with words, wherever the chunks were cut', () => {
    expect(lastLineOf('first\nsec', 'ond line\n', '}\n\n')).toBe('second line');
  });

  it('finds the error in a stack trace of Node', () => {
    const trace = [
      'file:///app/worker.ts:3',
      "throw new Error('no model');",
      '      ^',
      '',
      'Error: no model',
      '    at file:///app/worker.ts:3:7',
      '    at ModuleJob.run (node:internal/modules/esm/module_job:343:25) {',
      "  code: 'MODEL_MISSING'",
      '}',
      '',
      'Node.js v24.21.0',
      '',
    ];
    expect(lastLineOf(trace.join('\n'))).toBe('Error: no model');
  });

  it('says nothing when the child said nothing', () => {
    expect(lastLineOf()).toBeUndefined();
    expect(lastLineOf('\n  \n')).toBeUndefined();
  });

  it('keeps only the end of a flood', () => {
    expect(lastLineOf(`${'x'.repeat(100_000)}\n`, 'the end\n')).toBe('the end');
    expect(lastLineOf('y'.repeat(100_000))).toHaveLength(300);
  });

  it('hides the password of an address', () => {
    expect(lastLineOf('cannot open rtsp://admin:s3cret@10.0.0.5/live\n')).toBe(
      'cannot open rtsp://***@10.0.0.5/live',
    );
  });
});
