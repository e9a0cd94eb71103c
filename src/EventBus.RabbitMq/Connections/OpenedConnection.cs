using RabbitMQ.Client;

namespace EventBus;

/// <summary>Holds an open connection of the client, and the counter of the bytes that it receives.</summary>
internal readonly record struct OpenedConnection(IConnection Client, ConnectionTraffic Traffic);
