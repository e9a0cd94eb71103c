// Redis Pub/Sub with redis: one channel for each event name, a CloudEvents object as the message.
import { createClient } from 'redis';

export async function open(url) {
  const client = await createClient({ url }).connect();
  let subscriber = null;

  return {
    async publish(order) {
      //#region publish
      await client.publish('eventbus:order.placed', JSON.stringify(order));
      //#endregion
    },

    async publishCloudEvent(order, event) {
      //#region publish-cloudevent
      await client.publish('eventbus:order.placed', JSON.stringify({
        specversion: '1.0',
        id: event.id,
        type: 'order.placed',
        source: event.source,
        time: event.time,
        subject: event.key,
        tenant: event.tenant,
        data: order,
      }));
      //#endregion
    },

    async consume(receive) {
      subscriber = await client.duplicate().connect();

      //#region consume
      await subscriber.pSubscribe('eventbus:order.*', message => {
        const event = JSON.parse(message);
        receive({
          id: event.id,
          type: event.type,
          source: event.source,
          time: event.time,
          key: event.partitionkey,
          tenant: event.tenant,
          data: event.data,
        });
      });
      //#endregion
    },

    async close() {
      await subscriber?.close();
      await client.close();
    },
  };
}
