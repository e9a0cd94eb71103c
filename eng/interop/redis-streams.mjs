// Redis Streams with redis: one stream for the first word of the event names, the attributes as fields.
import { createClient } from 'redis';

export async function open(url) {
  const client = await createClient({ url }).connect();
  let reading = null;
  let closing = false;

  return {
    async publish(order) {
      //#region publish
      await client.xAdd('{eventbus}:order', '*', { type: 'order.placed', data: JSON.stringify(order) });
      //#endregion
    },

    async publishCloudEvent(order, event) {
      //#region publish-cloudevent
      await client.xAdd('{eventbus}:order', '*', {
        specversion: '1.0',
        id: event.id,
        type: 'order.placed',
        source: event.source,
        time: event.time,
        partitionkey: event.key,
        'header:tenant': event.tenant,
        data: JSON.stringify(order),
      });
      //#endregion
    },

    async consume(receive) {
      const reader = await client.duplicate().connect();

      //#region consume
      await reader.xGroupCreate('{eventbus}:order', 'node.orders', '$', { MKSTREAM: true });

      const read = async () => {
        const found = await reader.xReadGroup('node.orders', 'node-1', { key: '{eventbus}:order', id: '>' }, { COUNT: 16, BLOCK: 500 });
        for (const { id, message } of found?.[0].messages ?? []) {
          await receive({
            id: message.id,
            type: message.type,
            source: message.source,
            time: message.time,
            key: message.partitionkey,
            tenant: message['header:tenant'],
            data: JSON.parse(message.data),
          });
          await reader.xAck('{eventbus}:order', 'node.orders', id);
        }
      };
      //#endregion

      reading = (async () => {
        while (!closing) await read();
        await reader.close();
      })();
    },

    async close() {
      closing = true;
      await reading;
      await client.close();
    },
  };
}
