using EventBus.Transports;

namespace EventBus;

/// <summary>Publishes lists of events, in the order of the list for each key. Thread-safe.</summary>
internal sealed class ListPublisher(EnvelopeFactory envelopes, BatchSender batches, BusServices services)
{
    private const int BatchSize = 512;

    /// <summary>Publishes the events of a list in batches.</summary>
    /// <exception cref="PublishManyException">At least one event was not accepted.</exception>
    public async Task PublishAsync<TEvent>(IReadOnlyList<TEvent> list, PublishOptions? options, CancellationToken cancellationToken)
        where TEvent : notnull
    {
        RejectSharedId(options);
        cancellationToken.ThrowIfCancellationRequested();
        var count = CountOf(list);
        var progress = new BatchProgress(count);
        var batch = new Envelope[Math.Min(BatchSize, count)];
        var positions = new int[batch.Length];
        var outcomes = new PublishOutcome[batch.Length];
        var mayContinue = true;
        var next = 0;
        while (next < count && mayContinue)
        {
            var filled = 0;
            while (next < count && filled < batch.Length)
            {
                var envelope = TryCreate(list, next, options, progress);
                if (envelope is not null)
                {
                    batch[filled] = envelope;
                    positions[filled] = next;
                    filled++;
                }

                next++;
            }

            outcomes.AsSpan().Clear();
            mayContinue = await batches.SendAsync(
                batch.AsMemory(0, filled),
                outcomes.AsMemory(0, filled),
                options?.Timeout,
                cancellationToken);
            for (var i = 0; i < filled; i++)
            {
                if (batches.ErrorOf(outcomes[i], batch[i]) is { } error)
                {
                    progress.Fail(positions[i], batch[i].Key, error);
                }
            }
        }

        // The events after a batch that was not accepted in time are not sent.
        for (; next < count; next++)
        {
            progress.Fail(next, null, new PublishException(
                $"The event at position {next} was not sent: earlier events of the list were not accepted in time.",
                PublishFailure.Failed,
                null));
        }

        progress.ThrowIfAnyFailed();
    }

    private static void RejectSharedId(PublishOptions? options)
    {
        if (options?.EventId is not null)
        {
            throw new PublishException(
                "PublishManyAsync cannot give every event of a list the same id. Leave PublishOptions.EventId out, or publish one by one.",
                PublishFailure.Rejected,
                null);
        }
    }

    /// <summary>
    /// Creates the envelope of an event. If the event must not be sent, records the error and returns null.
    /// </summary>
    private Envelope? TryCreate<TEvent>(IReadOnlyList<TEvent> list, int position, PublishOptions? options, BatchProgress progress)
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
            if (progress.HoldsBackAny && progress.IsHeldBack(options?.Key ?? EnvelopeFactory.KeyOf(descriptor, @event)))
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
            var error = exception as PublishException
                ?? new PublishException(
                    $"The event at position {position} of the list was not published: {ExceptionText.MessageOf(exception)}",
                    PublishFailure.Rejected,
                    null,
                    exception);
            services.Log.FailedPublish(EventNameRules.NameOf(@event?.GetType() ?? typeof(TEvent)), error);
            progress.Fail(position, KeyOrNull(@event, options), error);
            return null;
        }
    }

    /// <summary>
    /// Returns the key of an event that is not sent. Returns null if it has none, or if reading the event or its key
    /// has failed.
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
