using System.Threading.Channels;

namespace EventBus.RabbitMq.Tests;

/// <summary>Records values of a handler, and waits for the next one.</summary>
internal sealed class Seen<T>
{
    private readonly Channel<T> channel = Channel.CreateUnbounded<T>();

    public void Add(T item) => channel.Writer.TryWrite(item);

    public async Task<T> NextAsync(string what)
    {
        using var patience = new CancellationTokenSource(TestBroker.Patience, TimeProvider.System);
        try
        {
            return await channel.Reader.ReadAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"Not received within {TestBroker.Patience}: {what}.");
        }
    }
}
