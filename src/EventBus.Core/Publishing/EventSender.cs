using System.Collections.Concurrent;
using EventBus.Transports;

namespace EventBus;

/// <summary>Sends single events to the transport. Thread-safe.</summary>
internal sealed class EventSender(Transport transport, TimeSpan timeout, PublishErrors errors, BusServices services)
{
    // Up to this many concurrent sends reuse buffers; each further one allocates a buffer.
    private const int MaxSpareBuffers = 64;

    private readonly DeadlineTokens deadlines = new(
        services.Time,
        timeout,
        longestInterval: TimeSpan.FromMilliseconds(250),
        ticksPerSecond: TimeSpan.TicksPerSecond,
        parent: CancellationToken.None);
    private readonly ConcurrentQueue<SendBuffer> spareBuffers = new();
    private SendBuffer? firstBuffer;

    /// <summary>The maximum duration of a send without a timeout of its own.</summary>
    public TimeSpan Timeout => timeout;

    /// <summary>Returns true if an event may have subscribers, as far as this process knows.</summary>
    public bool MayHaveSubscribers(string eventName) => transport.MayHaveSubscribers(eventName);

    /// <summary>Ends the publish of an event that has no subscribers, without sending it.</summary>
    public Task EndUnrouted(EventDescriptor descriptor)
    {
        var error = errors.Unrouted(descriptor);
        return error is null ? Task.CompletedTask : Task.FromException(error);
    }

    /// <summary>Returns the deadline of a send that starts now.</summary>
    public CancellationToken Deadline() => deadlines.Token(services.Time.GetUtcNow().UtcTicks);

    /// <summary>Sends an event that the application has just published.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="now">The current time (UTC) in ticks.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public Task SendAsync(Envelope envelope, long now, CancellationToken cancellationToken) =>
        SendAsync(envelope, deadlines.Token(now), cancellationToken);

    /// <summary>Sends a delayed event that is due. The event stays in its store until it is accepted.</summary>
    public Task SendDueAsync(Envelope envelope) => SendAsync(envelope, Deadline(), CancellationToken.None);

    /// <summary>Sends an event until a deadline.</summary>
    public Task SendAsync(Envelope envelope, CancellationToken deadline, CancellationToken cancellationToken)
    {
        var buffer = TakeBuffer();
        buffer.Envelopes[0] = envelope;
        ValueTask sending;
        try
        {
            sending = transport.PublishAsync(buffer.Envelopes, buffer.Outcomes, deadline);
        }
        catch (Exception exception)
        {
            return Task.FromException(errors.InDoubt(envelope, exception));
        }

        if (!sending.IsCompletedSuccessfully)
        {
            return AwaitSendAsync(sending, buffer, cancellationToken);
        }

        var outcome = buffer.Outcomes[0];
        ReturnBuffer(buffer);
        if (outcome.Status == PublishStatus.Accepted)
        {
            return Task.CompletedTask;
        }

        var error = errors.Of(outcome, envelope);
        return error is null ? Task.CompletedTask : Task.FromException(error);
    }

    private async Task AwaitSendAsync(ValueTask sending, SendBuffer buffer, CancellationToken cancellationToken)
    {
        try
        {
            if (cancellationToken.CanBeCanceled)
            {
                await sending.AsTask().Observed().WaitAsync(cancellationToken);
            }
            else
            {
                await sending;
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Only the wait has ended. The transport still uses the buffer, so it is not returned.
            throw;
        }
        catch (Exception exception)
        {
            throw errors.InDoubt(buffer.Envelopes[0], exception);
        }

        var envelope = buffer.Envelopes[0];
        var outcome = buffer.Outcomes[0];
        ReturnBuffer(buffer);
        if (outcome.Status != PublishStatus.Accepted && errors.Of(outcome, envelope) is { } error)
        {
            throw error;
        }
    }

    private SendBuffer TakeBuffer() =>
        Interlocked.Exchange(ref firstBuffer, null) ?? (spareBuffers.TryDequeue(out var spare) ? spare : new SendBuffer());

    /// <summary>
    /// Keeps a buffer that the transport no longer uses. If two are returned concurrently, one may be dropped.
    /// </summary>
    private void ReturnBuffer(SendBuffer buffer)
    {
        buffer.Clear();
        if (Volatile.Read(ref firstBuffer) is null)
        {
            // In memory, a send ends before the next one of its publisher begins, so this is the usual path.
            Volatile.Write(ref firstBuffer, buffer);
        }
        else if (spareBuffers.Count < MaxSpareBuffers)
        {
            spareBuffers.Enqueue(buffer);
        }
    }
}
