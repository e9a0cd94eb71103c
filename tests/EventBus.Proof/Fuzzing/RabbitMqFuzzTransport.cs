using System.Text;

namespace EventBus.Proof;

/// <summary>
/// Fuzz messages as AMQP messages: the attributes and headers in the table of headers, whatever their types.
/// </summary>
internal sealed class RabbitMqFuzzTransport : FuzzTransport
{
    private readonly Uri address;
    private readonly string exchange;
    private readonly SemaphoreSlim alone = new(1);
    private readonly AmqpSocket common;
    private readonly AmqpSocket ticking;
    private AmqpSocket daring;

    private RabbitMqFuzzTransport(Uri address, string exchange, AmqpSocket common, AmqpSocket ticking, AmqpSocket daring) =>
        (this.address, this.exchange, this.common, this.ticking, this.daring) = (address, exchange, common, ticking, daring);

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

        // One at a time: what the broker refuses costs the connection, and with it the answers to all that was sent
        // through it.
        await alone.WaitAsync();
        try
        {
            if (await daring.PublishAsync(exchange, RoutingKeyOf(message), properties, message.Body ?? []))
            {
                return true;
            }

            await daring.DisposeAsync();
            daring = await AmqpSocket.ConnectAsync(address);
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
        await daring.DisposeAsync();
        alone.Dispose();
    }

    /// <summary>A subscription to any name accepts any bytes as the routing key.</summary>
    private static byte[] RoutingKeyOf(FuzzMessage message) =>
        message.Kind is FuzzKind.Attributes or FuzzKind.ControlCharacters
            && message.Route.AsSpan().StartsWith(Encoding.UTF8.GetBytes(FuzzGenerator.WildWord))
            && message.Chance.Hits(2)
            ? [.. message.Route, (byte)'.', .. FuzzTexts.Odd(message.Chance)]
            : message.Route;
}
