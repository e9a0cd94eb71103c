// Kafka with the console tools of the broker, which are written in Java: runs kafka-tools.sh, and reads what it prints.
import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const script = fileURLToPath(new URL('kafka-tools.sh', import.meta.url));

export async function open(address) {
  const environment = { ...process.env, address, settings: process.env.INTEROP_KAFKA_SETTINGS };
  const run = (...args) => promisify(execFile)('bash', [script, ...args], { env: environment });
  let consumer = null;

  return {
    publish: order => run('publish', JSON.stringify(order)),

    publishCloudEvent: (order, event) =>
      run('publish-cloudevent', JSON.stringify(order), event.id, event.source, event.time, event.key, event.tenant),

    async consume(receive) {
      consumer = spawn('bash', [script, 'consume'], { env: environment, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
      createInterface({ input: consumer.stdout }).on('line', line => {
        const [headers, key, value] = line.split('\t');
        const attributes = new Map(headers.split(',').map(header => {
          const colon = header.indexOf(':');
          return [header.slice(0, colon), header.slice(colon + 1)];
        }));
        receive({
          id: attributes.get('ce_id'),
          type: attributes.get('ce_type') ?? attributes.get('type'),
          source: attributes.get('ce_source'),
          time: attributes.get('ce_time'),
          key: key === 'null' ? undefined : key,
          tenant: attributes.get('tenant'),
          data: JSON.parse(value),
        });
      });
    },

    async close() {
      const ended = new Promise(resolve => consumer.on('exit', resolve));
      process.kill(-consumer.pid, 'SIGTERM');
      await ended;
    },
  };
}
