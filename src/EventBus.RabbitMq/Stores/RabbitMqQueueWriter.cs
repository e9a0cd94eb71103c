using EventBus.Stores;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Sends single messages to queues of the bus's own, and waits until the broker has each. Thread-safe.</summary>
internal sealed class RabbitMqQueueWriter(RabbitMqConnector connector) : IAsyncDisposable
{
    private readonly SemaphoreSlim opening = new(1);
    private PullChannel? current;

    /// <summary>Completes when the broker has confirmed it. Throws when it did not, or not in time, or when there is no such queue, or when the message does not fit into a frame.</summary>
    /// <param name="exchange">Where it goes.</param>
    /// <param name="routingKey">Where it goes on to.</param>
    /// <param name="write">Makes the properties, for the largest frame that the connection takes.</param>
    /// <param name="body">The body.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task SendAsync(string exchange, string routingKey, Func<uint, BasicProperties> write, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        var channel = await OpenAsync(cancellationToken);
        if (channel.Live.IsBlocked)
        {
            throw new StoreRefusedException(StoreScope.Store, "RabbitMQ is short of memory or disk, and takes nothing until it has recovered.");
        }

        var properties = Properties(write, channel.Live.MaxFrame);
        if (RabbitMqFrameLimit.Problem(properties, channel.Live.MaxFrame) is { } problem)
        {
            throw new StoreRefusedException(StoreScope.Entry, problem);
        }

        try
        {
            await channel.Client.BasicPublishAsync(exchange, routingKey, mandatory: true, properties, body, CancellationToken.None).AsTask().WaitAsync(connector.Options.CallTimeout, TimeProvider.System, cancellationToken);
        }
        catch (Exception exception) when (exception is ArgumentException or WireFormattingException && channel.IsOpen)
        {
            // Nothing was written: the message itself cannot be.
            throw new StoreRefusedException(StoreScope.Entry, $"The event cannot be written as an AMQP message: {exception.GetType().Name}.", exception);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            // Whatever hangs hangs with this channel; the next call opens another.
            Forget(channel);
            throw;
        }
    }

    public ValueTask DisposeAsync()
    {
        if (current is { } channel)
        {
            Forget(channel);
        }

        return ValueTask.CompletedTask;
    }

    private static BasicProperties Properties(Func<uint, BasicProperties> write, uint maxFrame)
    {
        try
        {
            return write(maxFrame);
        }
        catch (Exception exception)
        {
            throw new StoreRefusedException(StoreScope.Entry, $"The event cannot be written as an AMQP message: {exception.GetType().Name}.", exception);
        }
    }

    private async Task<PullChannel> OpenAsync(CancellationToken cancellationToken)
    {
        await opening.WaitAsync(cancellationToken);
        try
        {
            if (current is { IsOpen: true } open)
            {
                return open;
            }

            if (current is { } ended)
            {
                Forget(ended);
            }

            var live = await connector.Publishing.ConnectionAsync(cancellationToken).WaitAsync(connector.Options.CallTimeout, TimeProvider.System, cancellationToken);
            var channel = await live.OpenChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
            return current = new PullChannel(channel, live);
        }
        finally
        {
            opening.Release();
        }
    }

    private void Forget(PullChannel channel)
    {
        Interlocked.CompareExchange(ref current, null, channel);
        _ = channel.Client.DiscardAsync();
    }
}
