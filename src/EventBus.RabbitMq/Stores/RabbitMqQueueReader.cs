using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Takes messages from queues one at a time, and settles each on the channel through which it was taken. Thread-safe.
/// </summary>
/// <remarks>
/// Does not use a consumer. So no message is prefetched, and the broker's delivery count is the number of attempts.
/// </remarks>
internal sealed class RabbitMqQueueReader(RabbitMqConnector connector) : IAsyncDisposable
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim opening = new(1);
    private StoreChannel? current;

    /// <summary>Takes the first message of a queue; null if the queue is empty.</summary>
    public async Task<PulledMessage?> GetAsync(string queue, CancellationToken cancellationToken)
    {
        var channel = await OpenAsync(cancellationToken);
        var message = await CallAsync(channel, channel.Channel.BasicGetAsync(queue, autoAck: false, CancellationToken.None));
        return message is null ? null : new PulledMessage(message, channel);
    }

    /// <summary>Gets the number of messages in a queue.</summary>
    public async Task<long> CountAsync(string queue, CancellationToken cancellationToken)
    {
        var channel = await OpenAsync(cancellationToken);
        var state = await CallAsync(channel, channel.Channel.QueueDeclarePassiveAsync(queue, CancellationToken.None));
        return state.MessageCount;
    }

    /// <summary>
    /// Completes when the broker has received the acknowledgement of a message: the client only queues it, and the
    /// broker answers the requests of a channel in their order. Does not throw: without a connection, the broker
    /// redelivers the message.
    /// </summary>
    public async Task FlushAsync(PulledMessage message)
    {
        // Any request will do. This one sets the limit of consumers, of which the channel has none.
        await CallAsync(message.Source, RequestAsync()).Quietly();

        async Task<bool> RequestAsync()
        {
            await message.Source.Channel.BasicQosAsync(0, 0, global: false, CancellationToken.None);
            return true;
        }
    }

    /// <summary>Closes the channel. Unsettled messages return to the head of their queue, in their order.</summary>
    public async ValueTask DisposeAsync()
    {
        if (current is { } channel)
        {
            current = null;
            await channel.Channel.DiscardAsync().WaitAsync(CloseTimeout, TimeProvider.System).Quietly();
        }
    }

    private async Task<T> CallAsync<T>(StoreChannel channel, Task<T> call)
    {
        try
        {
            return await channel.Session.CallAsync(call);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            // The answer may still arrive, and the client would take it for the answer to the next request.
            Interlocked.CompareExchange(ref current, null, channel);
            _ = channel.Channel.DiscardAsync();
            throw;
        }
    }

    private async Task<StoreChannel> OpenAsync(CancellationToken cancellationToken)
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
                current = null;
                _ = ended.Channel.DiscardAsync();
            }

            var session = await connector.Consuming.ConnectionAsync(cancellationToken)
                .WaitAsync(connector.Options.CallTimeout, TimeProvider.System, cancellationToken);
            var channel = await session.OpenChannelAsync(
                new CreateChannelOptions(publisherConfirmationsEnabled: false, publisherConfirmationTrackingEnabled: false));
            current = new StoreChannel(channel, session);
            return current;
        }
        finally
        {
            opening.Release();
        }
    }
}
