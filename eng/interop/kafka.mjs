// Kafka with kafkajs: the topic of the first word of the event names, the attributes as headers.
import { Kafka, logLevel } from 'kafkajs';

export async function open(address) {
  const kafka = new Kafka({
    brokers: [address],
    logLevel: logLevel.NOTHING,
    sasl: { mechanism: 'plain', username: 'bus', password: process.env.EVENTBUS_TEST_CANARY },
  });
  const [producer, consumer] = [kafka.producer(), kafka.consumer({ groupId: 'node.orders' })];
  await producer.connect();

  return {
    async publish(order) {
      //#region publish
      await producer.send({
        topic: 'order-events',
        messages: [{ headers: { type: 'order.placed' }, value: JSON.stringify(order) }],
      });
      //#endregion
    },

    async publishCloudEvent(order, event) {
      //#region publish-cloudevent
      await producer.send({
        topic: 'order-events',
        messages: [{
          key: event.key,
          headers: {
            'content-type': 'application/json',
            ce_specversion: '1.0',
            ce_id: event.id,
            ce_type: 'order.placed',
            ce_source: event.source,
            ce_time: event.time,
            tenant: event.tenant,
          },
          value: JSON.stringify(order),
        }],
      });
      //#endregion
    },

    async consume(receive) {
      //#region consume
      await consumer.connect();
      await consumer.subscribe({ topic: 'order-events', fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message }) => {
          const header = name => message.headers[name]?.toString();
          await receive({
            id: header('ce_id'),
            type: header('ce_type') ?? header('type'),
            source: header('ce_source'),
            time: header('ce_time'),
            key: message.key?.toString(),
            tenant: header('tenant'),
            data: JSON.parse(message.value),
          });
        },
      });
      //#endregion
    },

    async close() {
      await consumer.disconnect();
      await producer.disconnect();
    },
  };
}
