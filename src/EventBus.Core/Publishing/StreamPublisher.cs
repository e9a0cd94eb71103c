using System.Threading.Channels;

namespace EventBus;

/// <summary>
/// Publishes the events of a stream in its order. Reads further events while a batch is being sent, and holds at most
/// two batches.
/// </summary>
internal sealed class StreamPublisher<TEvent>(Publisher publisher, PublishOptions? options)
    where TEvent : notnull
{
    private const int BatchSize = 512;

    private readonly Channel<TEvent> waiting = Channel.CreateBounded<TEvent>(
        new BoundedChannelOptions(BatchSize) { SingleReader = true, SingleWriter = true });

    private int readCount;
    private int acceptedCount;

    /// <summary>Publishes all events of a stream.</summary>
    /// <exception cref="PublishManyException">An event was not accepted. The stream is not read further.</exception>
    public async Task PublishAsync(IAsyncEnumerable<TEvent> events, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reading = ReadAsync(events, stop.Token);
        PublishManyException? failure = null;
        try
        {
            // If the stream has thrown, this throws the same exception after the events before it were sent.
            while (failure is null && await waiting.Reader.WaitToReadAsync(cancellationToken))
            {
                failure = await SendAsync(TakeBatch(), cancellationToken);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await reading;
        }

        if (failure is not null)
        {
            // Only now is it known how many events were read while the last batch was being sent.
            var notSent = Enumerable.Range(0, readCount - acceptedCount - failure.Items.Count).Select(_ => NotSent());
            throw new PublishManyException(new StreamResults(acceptedCount, [.. failure.Items, .. notSent]));
        }
    }

    /// <summary>Reads the stream. Does not throw: an error completes the channel.</summary>
    private async Task ReadAsync(IAsyncEnumerable<TEvent> events, CancellationToken stop)
    {
        try
        {
            await foreach (var @event in events.WithCancellation(stop))
            {
                readCount++;
                await waiting.Writer.WriteAsync(@event, stop);
            }

            waiting.Writer.Complete();
        }
        catch (Exception exception)
        {
            waiting.Writer.Complete(exception);
        }
    }

    private List<TEvent> TakeBatch()
    {
        var batch = new List<TEvent>(BatchSize);
        while (batch.Count < BatchSize && waiting.Reader.TryRead(out var @event))
        {
            batch.Add(@event);
        }

        return batch;
    }

    /// <summary>Sends a batch.</summary>
    /// <returns>The results of the batch if an event was not accepted; otherwise null.</returns>
    private async Task<PublishManyException?> SendAsync(List<TEvent> batch, CancellationToken cancellationToken)
    {
        try
        {
            await publisher.PublishManyAsync(batch, options, cancellationToken);
        }
        catch (PublishManyException exception)
        {
            return exception;
        }

        acceptedCount += batch.Count;
        return null;
    }

    private static PublishException NotSent() =>
        new("The event was not sent: an earlier event of the stream was not accepted.", PublishFailure.Failed, null);
}
