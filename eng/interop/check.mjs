// Starts the .NET program and a program in another language, and shows that they understand each other.
// Arguments: the backend, and the command that starts the program. The addresses are in the environment.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';

const patience = 20_000;
const [backend, ...command] = process.argv.slice(2);
const { open } = await import(`./${backend}.mjs`);
let failed = 0;

/** Keeps what came, and gives the first that fits, or fails when it does not come in time. */
function mailbox(name) {
  const items = [];
  let waiting = [];
  return {
    add(item) {
      items.push(item);
      for (const look of waiting) look();
    },
    find(fits, what) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`${name} got no ${what} within ${patience / 1000} s, but: ${JSON.stringify(items)}`)), patience);
        const look = () => {
          const found = items.find(fits);
          if (found === undefined) return;
          clearTimeout(timer);
          waiting = waiting.filter(other => other !== look);
          resolve(found);
        };
        waiting.push(look);
        look();
      });
    },
  };
}

async function check(name, run) {
  try {
    await run();
    console.log(`ok  ${backend}: ${name}`);
  } catch (error) {
    failed++;
    console.log(`!!  ${backend}: ${name}: ${error.message}`);
  }
}

function expect(actual, expected, what) {
  if (!isDeepStrictEqual(actual, expected)) throw new Error(`${what} is ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
}

const [fromNet, fromBus] = [mailbox('.NET'), mailbox('node')];
const program = spawn(command[0], [...command.slice(1), backend], { stdio: ['pipe', 'pipe', 'inherit'] });
createInterface({ input: program.stdout }).on('line', line => fromNet.add(JSON.parse(line)));
const ended = new Promise(resolve => program.on('exit', resolve));
const bus = await open(process.env.INTEROP_NODE_ADDRESS);
try {
  await fromNet.find(line => line.started, 'sign of life');
  await bus.consume(event => fromBus.add(event));

  await check('node publishes plain JSON, and the .NET handler handles it', async () => {
    // Two programs may read one topic one after the other, and the second then reads the orders of the first too.
    const orderId = `plain-${backend}`;
    await bus.publish({ orderId, total: 12.5 });
    const { handled } = await fromNet.find(line => line.handled?.orderId === orderId, 'plain order');
    expect(handled.total, 12.5, 'the total');
    if (!handled.id) throw new Error('the event has no id');
  });

  await check('.NET publishes, and node reads id, type, source and data', async () => {
    program.stdin.write('publish\n');
    const { published } = await fromNet.find(line => line.published, 'published event');
    const event = await fromBus.find(each => each.type === 'order.shipped' && each.id === published, 'order.shipped');
    console.log(`    ${event.id} ${event.type} ${event.source} ${JSON.stringify(event.data)}`);
    expect({ source: event.source, data: event.data }, { source: 'interop', data: { orderId: '4711' } }, 'the event');
  });

  await check('attributes go from node to .NET and back to node', async () => {
    const sent = { id: `node-${backend}`, source: '/node/shop', time: '2026-01-02T03:04:05.678Z', key: 'customer 7', tenant: 'acme é' };
    await bus.publishCloudEvent({ orderId: 'whole', total: 1 }, sent);
    const { handled } = await fromNet.find(line => line.handled?.id === sent.id, 'order with attributes');
    expect({ id: handled.id, source: handled.source, time: new Date(handled.time).toISOString(), key: handled.key, tenant: handled.headers.tenant }, sent, 'what .NET saw');
    const echo = await fromBus.find(each => each.type === 'order.echoed' && each.id === sent.id, 'order.echoed');
    expect({ id: echo.id, source: echo.data.source, time: new Date(echo.data.time).toISOString(), key: echo.key, tenant: echo.tenant }, sent, 'the attributes of the echo');
    expect([echo.source, Number.isNaN(Date.parse(echo.time))], ['interop', false], "the source and time of the echo");
  });
} catch (error) {
  failed++;
  console.log(`!!  ${backend}: ${error.message}`);
} finally {
  program.stdin.end();
  await bus.close();
  const code = await ended;
  if (code !== 0) {
    failed++;
    console.log(`!!  ${backend}: the .NET program ended with exit code ${code}`);
  }
}

process.exit(failed === 0 ? 0 : 1);
