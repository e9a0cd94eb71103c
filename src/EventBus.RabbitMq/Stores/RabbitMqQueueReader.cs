using RabbitMQ.Client;

namespace EventBus;

/// <summary>Takes messages off queues one by one, and settles each on the channel through which it came. Thread-safe.</summary>
/// <remarks>No consumer: nothing is prefetched, so that the broker's count of deliveries is a count of starts.</remarks>
internal sealed class RabbitMqQueueReader(RabbitMqConnector connector) : IAsyncDisposable
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim opening = new(1);
    private PullChannel? current;

    /// <summary>The first message of a queue; null when there is none.</summary>
    public async Task<PulledMessage?> GetAsync(string queue, CancellationToken cancellationToken)
    {
        var channel = await OpenAsync(cancellationToken);
        var message = await CallAsync(channel, channel.Client.BasicGetAsync(queue, autoAck: false, CancellationToken.None));
        return message is null ? null : new PulledMessage(message, channel);
    }

    /// <summary>How many messages wait in a queue.</summary>
    public async Task<long> CountAsync(string queue, CancellationToken cancellationToken)
    {
        var channel = await OpenAsync(cancellationToken);
        return (await CallAsync(channel, channel.Client.QueueDeclarePassiveAsync(queue, CancellationToken.None))).MessageCount;
    }

    /// <summary>Closes the channel: what is unsettled goes back to the heads of its queues, in its order.</summary>
    public async ValueTask DisposeAsync()
    {
        if (current is { } channel)
        {
            current = null;
            await channel.Client.DiscardAsync().WaitAsync(CloseTimeout, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<T> CallAsync<T>(PullChannel channel, Task<T> call)
    {
        try
        {
            return await channel.Live.CallAsync(call);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            // The answer may still come, and would be taken for that to the next question.
            Interlocked.CompareExchange(ref current, null, channel);
            _ = channel.Client.DiscardAsync();
            throw;
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
                current = null;
                _ = ended.Client.DiscardAsync();
            }

            var live = await connector.Consuming.ConnectionAsync(cancellationToken).WaitAsync(connector.Options.CallTimeout, TimeProvider.System, cancellationToken);
            var channel = await live.OpenChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: false, publisherConfirmationTrackingEnabled: false));
            return current = new PullChannel(channel, live);
        }
        finally
        {
            opening.Release();
        }
    }
}
