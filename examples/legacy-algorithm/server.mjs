// A service of the old kind, for trying out and for tests: `node server.mjs [port]`. It is posted a form with a JPEG in base64
// and answers with the same picture, a frame drawn into it, and two words about it. ffmpeg draws; a real one has a model.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';

const DRAW = 'drawbox=x=iw/4:y=ih/2:w=iw/2:h=ih/3:color=magenta:t=8';

const server = createServer(async (request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (request.method !== 'POST') return answer(405, { error: 'POST a form with the field "picture".' });
  const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
  const picture = form.get('picture');
  if (!picture) return answer(400, { error: 'The form has no field "picture".' });
  try {
    const drawn = await draw(Buffer.from(picture, 'base64'));
    answer(200, { picture: drawn.toString('base64'), state: 'ok', type: 'example' });
  } catch (error) {
    answer(422, { error: String(error) });
  }
});

/** The JPEG with a frame drawn into it. */
async function draw(jpeg) {
  const output = ['-vf', DRAW, '-q:v', '2', '-f', 'mjpeg', '-'];
  const args = ['-v', 'error', '-f', 'mjpeg', '-i', '-', '-frames:v', '1', ...output];
  const ffmpeg = spawn('ffmpeg', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const failed = new Promise((_, reject) => ffmpeg.on('error', reject));
  ffmpeg.stdin.on('error', () => {}).end(jpeg);
  const drawn = Buffer.concat(await Promise.race([ffmpeg.stdout.toArray(), failed]));
  if (drawn.length === 0) throw new Error('That is no JPEG.');
  return drawn;
}

server.listen(Number(process.argv[2] ?? 9797), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
