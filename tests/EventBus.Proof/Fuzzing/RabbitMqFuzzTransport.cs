using System.Text;

namespace EventBus.Proof;

/// <summary>
/// Sends fuzz messages as AMQP messages: attributes and headers of any type are entries of the header table.
/// </summary>
internal sealed class RabbitMqFuzzTransport : FuzzTransport
{
    private readonly Uri address;
    private readonly string exchange;
    private readonly SemaphoreSlim alone = new(1);
    private readonly AmqpSocket common;
    private readonly AmqpSocket ticking;
    private AmqpSocket hostile;

    private RabbitMqFuzzTransport(Uri address, string exchange, AmqpSocket common, AmqpSocket ticking, AmqpSocket hostile) =>
        (this.address, this.exchange, this.common, this.ticking, this.hostile) = (address, exchange, common, ticking, hostile);

    public static async Task<RabbitMqFuzzTransport> OpenAsync(Uri address, string exchange) =>
        new(
            address,
            exchange,
            await AmqpSocket.ConnectAsync(address),
            await AmqpSocket.ConnectAsync(address),
            await AmqpSocket.ConnectAsync(address));

    public override async Task<bool> PublishAsync(FuzzMessage message)
    {
        var properties = new AmqpProperties(message).Write();
        if (!message.IsOdd)
        {
            return await common.PublishAsync(exchange, RoutingKeyOf(message), properties, message.Body ?? [])
                ? true
                : throw new ProofException($"RabbitMQ refused message {message.Number}: {common.Reason}");
        }

        // One at a time: a refusal closes the connection, and loses the answers to all other messages on it.
        await alone.WaitAsync();
        try
        {
            if (await hostile.PublishAsync(exchange, RoutingKeyOf(message), properties, message.Body ?? []))
            {
                return true;
            }

            await hostile.DisposeAsync();
            hostile = await AmqpSocket.ConnectAsync(address);
            return false;
        }
        finally
        {
            alone.Release();
        }
    }

    public override async Task PublishTickAsync(long number) =>
        await ticking.PublishAsync(
            exchange,
            Encoding.UTF8.GetBytes(FuzzProof.TickEvent),
            [0, 0],
            Encoding.UTF8.GetBytes($"{{\"number\":{number}}}"));

    public override async ValueTask DisposeAsync()
    {
        await common.DisposeAsync();
        await ticking.DisposeAsync();
        await hostile.DisposeAsync();
        alone.Dispose();
    }

    /// <summary>Returns the routing key. A subscription to all names accepts any bytes in it.</summary>
    private static byte[] RoutingKeyOf(FuzzMessage message) =>
        message.Kind is FuzzKind.Attributes or FuzzKind.ControlCharacters
            && message.Route.AsSpan().StartsWith(Encoding.UTF8.GetBytes(FuzzGenerator.WildWord))
            && message.Chance.Hits(2)
            ? [.. message.Route, (byte)'.', .. FuzzTexts.Odd(message.Chance)]
            : message.Route;
}
