using EventBus.Transports;

namespace EventBus;

/// <summary>Publishes lists of events, in the order of the list for each key. Thread-safe.</summary>
internal sealed class ListPublisher(EnvelopeFactory envelopes, BatchSender batches, BusServices services)
{
    private const int BatchSize = 512;

    public async Task PublishAsync<TEvent>(IReadOnlyList<TEvent> list, PublishOptions? options, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        if (options?.EventId is not null)
        {
            throw new PublishException(
                "PublishManyAsync cannot give every event of a list the same id. Leave PublishOptions.EventId out, or publish one by one.",
                PublishFailure.Rejected,
                null);
        }

        cancellationToken.ThrowIfCancellationRequested();
        var count = CountOf(list);
        var run = new BatchProgress(count);
        var batch = new Envelope[Math.Min(BatchSize, count)];
        var positions = new int[batch.Length];
        var outcomes = new PublishOutcome[batch.Length];
        var inTime = true;
        var next = 0;
        while (next < count && inTime)
        {
            var filled = 0;
            while (next < count && filled < batch.Length)
            {
                if (TryPrepare(list, options, run, next) is { } envelope)
                {
                    (positions[filled], batch[filled]) = (next, envelope);
                    filled++;
                }

                next++;
            }

            outcomes.AsSpan().Clear();
            inTime = await batches.SendAsync(batch.AsMemory(0, filled), outcomes.AsMemory(0, filled), options?.Timeout, cancellationToken);
            for (var i = 0; i < filled; i++)
            {
                run.Conclude(positions[i], batch[i], batches.ErrorOf(outcomes[i], batch[i]));
            }
        }

        // The deadline has passed before these events were sent.
        while (next < count)
        {
            run.Reject(next, null, new PublishException(
                $"The event at position {next} was not sent: earlier events of the list were not accepted in time.",
                PublishFailure.Failed,
                null));
            next++;
        }

        run.ThrowIfAnyFailed();
    }

    private Envelope? TryPrepare<TEvent>(IReadOnlyList<TEvent> list, PublishOptions? options, BatchProgress run, int position)
        where TEvent : notnull
    {
        object? @event = null;
        try
        {
            @event = list[position];
            if (@event is null)
            {
                throw new PublishException($"The event at position {position} of the list is null.", PublishFailure.Rejected, null);
            }

            var descriptor = envelopes.DescriptorOf(@event);
            if (run.HoldsBackAny && run.IsHeldBack(options?.Key ?? EnvelopeFactory.KeyOf(descriptor, @event)))
            {
                throw new PublishException(
                    $"The event at position {position} of the list was not sent: {KeyOrder.Reason}",
                    PublishFailure.Failed,
                    null);
            }

            return envelopes.Create(descriptor, @event, options, services.Time.GetUtcNow().UtcTicks);
        }
        catch (Exception exception)
        {
            run.Reject(position, KeyOrNull(@event, options), exception as PublishException
                ?? new PublishException(
                    $"The event at position {position} of the list was not published: {ExceptionText.MessageOf(exception)}",
                    PublishFailure.Rejected,
                    null,
                    exception));
            return null;
        }
    }

    /// <summary>
    /// Returns the key of a rejected event; null if the event was rejected because its key cannot be read.
    /// </summary>
    private string? KeyOrNull(object? @event, PublishOptions? options)
    {
        try
        {
            return options?.Key ?? (@event is null ? null : EnvelopeFactory.KeyOf(envelopes.DescriptorOf(@event), @event));
        }
        catch (Exception)
        {
            return null;
        }
    }

    /// <summary>
    /// Returns the number of events in a list. The list may be an implementation of the application, which may throw.
    /// </summary>
    private static int CountOf<TEvent>(IReadOnlyList<TEvent> list)
    {
        try
        {
            return list.Count;
        }
        catch (Exception exception)
        {
            throw new PublishException(
                $"The list of events cannot be read: {ExceptionText.Of(exception)}",
                PublishFailure.Rejected,
                null,
                exception);
        }
    }
}
