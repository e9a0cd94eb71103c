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

    private int accepted;

    /// <summary>Publishes all events of a stream.</summary>
    /// <exception cref="PublishManyException">An event was not accepted. The stream is not read further.</exception>
    public async Task PublishAsync(IAsyncEnumerable<TEvent> events, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reading = ReadAsync(events, stop.Token);
        try
        {
            // Throws what the stream has thrown, after the events before it were sent.
            while (await waiting.Reader.WaitToReadAsync(cancellationToken))
            {
                await SendAsync(TakeBatch(), cancellationToken);
            }
        }
        finally
        {
            await stop.CancelAsync();
            await reading;
        }
    }

    /// <summary>Reads the stream. Does not throw: an error completes the channel.</summary>
    private async Task ReadAsync(IAsyncEnumerable<TEvent> events, CancellationToken stop)
    {
        try
        {
            await foreach (var each in events.WithCancellation(stop))
            {
                await waiting.Writer.WriteAsync(each, stop);
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
        while (batch.Count < BatchSize && waiting.Reader.TryRead(out var each))
        {
            batch.Add(each);
        }

        return batch;
    }

    private async Task SendAsync(List<TEvent> batch, CancellationToken cancellationToken)
    {
        try
        {
            await publisher.PublishManyAsync(batch, options, cancellationToken);
            accepted += batch.Count;
        }
        catch (PublishManyException exception)
        {
            throw new PublishManyException(new StreamResults(accepted, [.. exception.Items, .. TakeBatch().Select(_ => NotSent())]));
        }
    }

    private static PublishException NotSent() =>
        new("The event was not sent: an earlier event of the stream was not accepted.", PublishFailure.Failed, null);
}
