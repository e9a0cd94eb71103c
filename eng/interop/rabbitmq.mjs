// RabbitMQ with amqplib: the topic exchange 'events', the event's name as the routing key.
import amqp from 'amqplib';

export async function open(url) {
  const connection = await amqp.connect(url);
  const channel = await connection.createConfirmChannel();

  return {
    async publish(order) {
      //#region publish
      await channel.assertExchange('events', 'topic', { durable: true });
      channel.publish('events', 'order.placed', Buffer.from(JSON.stringify(order)), { persistent: true });
      await channel.waitForConfirms();
      //#endregion
    },

    async publishCloudEvent(order, event) {
      //#region publish-cloudevent
      channel.publish('events', 'order.placed', Buffer.from(JSON.stringify(order)), {
        persistent: true,
        contentType: 'application/json',
        headers: {
          cloudEvents_specversion: '1.0',
          cloudEvents_id: event.id,
          cloudEvents_type: 'order.placed',
          cloudEvents_source: event.source,
          cloudEvents_time: event.time,
          cloudEvents_partitionkey: event.key,
          tenant: event.tenant,
        },
      });
      await channel.waitForConfirms();
      //#endregion
    },

    async consume(receive) {
      //#region consume
      await channel.assertExchange('events', 'topic', { durable: true });
      await channel.assertQueue('node.orders', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
      await channel.bindQueue('node.orders', 'events', 'order.#');
      await channel.consume('node.orders', async message => {
        const headers = message.properties.headers;
        await receive({
          id: headers.cloudEvents_id,
          type: headers.cloudEvents_type ?? message.fields.routingKey,
          source: headers.cloudEvents_source,
          time: headers.cloudEvents_time,
          key: headers.cloudEvents_partitionkey,
          tenant: headers.tenant,
          data: JSON.parse(message.content),
        });
        channel.ack(message);
      });
      //#endregion
    },

    close: () => connection.close(),
  };
}
