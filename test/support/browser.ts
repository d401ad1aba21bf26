import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';

const candidates = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** What the page under test needs from the browser; the defaults suit all tests. */
export interface OpenPageOptions {
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly locale?: string;
  readonly deviceScaleFactor?: number;
  /** Any certificate is taken, as if whoever looks had said so. */
  readonly insecure?: boolean;
  /** Names of scripts in `web/probes/` that run before the page's own. */
  readonly probes?: readonly string[];
}

/** A headless Chromium of the system; pages collect what went wrong in them. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #errors: string[] = [];

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async launch(): Promise<TestBrowser> {
    const executablePath = candidates.find((path) => existsSync(path));
    if (!executablePath) throw new Error(`No Chromium found at ${candidates.join(', ')}.`);
    const browser = await chromium.launch({
      executablePath,
      headless: true,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--autoplay-policy=no-user-gesture-required',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
        '--disable-quic',
      ],
    });
    return new TestBrowser(browser);
  }

  /** Errors of all pages: exceptions, and what they wrote to the console as errors. */
  get errors(): readonly string[] {
    return this.#errors;
  }

  async open(url: string, options: OpenPageOptions = {}): Promise<Page> {
    const {
      viewport = { width: 1280, height: 800 },
      locale = 'en-GB',
      deviceScaleFactor = 1,
      insecure = false,
    } = options;
    const context = await this.#browser.newContext({
      ...{ viewport, locale, deviceScaleFactor },
      ignoreHTTPSErrors: insecure,
    });
    for (const probe of options.probes ?? [])
      await context.addInitScript({ content: await probeScript(probe) });
    const page = await context.newPage();
    page.on('pageerror', (error) => this.#errors.push(error.stack ?? error.message));
    page.on('console', (message) => {
      // A refused connection is what tests of restarts are about; the page says so itself.
      if (
        message.type() === 'error' &&
        !/WebSocket connection|Failed to load resource/.test(message.text())
      ) {
        this.#errors.push(message.text());
      }
    });
    await page.goto(url, { waitUntil: 'domcontentloaded' });
    return page;
  }

  /** For `afterEach`: the pages of an attempt that failed would go on playing beside the next. */
  async closePages(): Promise<void> {
    for (const context of this.#browser.contexts()) await context.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** The script of a probe as the browser runs it: probes are checked as TypeScript with the page's own types. */
async function probeScript(name: string): Promise<string> {
  const file = fileURLToPath(new URL(`../../web/probes/${name}.ts`, import.meta.url));
  return stripTypeScriptTypes(await readFile(file, 'utf8'));
}
