using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Sends single events that need more than <see cref="EventSender"/> offers: traces and metrics, a timeout of their
/// own, or a delay.
/// </summary>
internal sealed class ObservedSender(EventSender sender, DelayedEventWriter delays, BusServices services)
{
    /// <summary>Sends an event, or stores it if it is delayed.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="timeout">The timeout; null for that of the bus.</param>
    /// <param name="cancellationToken">Cancels the wait only.</param>
    public async Task SendAsync(Envelope envelope, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var ownDeadline = timeout is { } own ? new CancellationTokenSource(own, services.Time) : null;
        try
        {
            await SendAsync(envelope, ownDeadline?.Token ?? sender.Deadline(), cancellationToken);
        }
        finally
        {
            // A send whose caller was cancelled continues and still needs its deadline.
            if (!cancellationToken.IsCancellationRequested)
            {
                ownDeadline?.Dispose();
            }
        }
    }

    /// <summary>Sends an event until a deadline, or stores it if it is delayed.</summary>
    public async Task SendAsync(Envelope envelope, CancellationToken deadline, CancellationToken cancellationToken)
    {
        var startedAt = services.Time.GetTimestamp();
        using var activity = services.Diagnostics.StartPublish(envelope.Name, envelope.TraceParent, envelope.TraceState);
        envelope.TraceParent = activity?.Id ?? envelope.TraceParent;
        string? error = null;
        try
        {
            if (envelope.NotBefore is { } dueAt && dueAt > services.Time.GetUtcNow())
            {
                await delays.AddAsync(envelope, dueAt, deadline, cancellationToken);
            }
            else
            {
                await sender.SendAsync(envelope, deadline, cancellationToken);
            }
        }
        catch (Exception exception)
        {
            error = (exception as PublishException)?.Failure.ToString() ?? exception.GetType().FullName;
            if (exception is PublishException)
            {
                // The sender has logged its failures already. Those of a delayed event come from the store.
                services.Log.FailedPublish(envelope.Name, exception, envelope.IdIsDerived);
            }

            throw;
        }
        finally
        {
            services.Diagnostics.Published(activity, envelope.Name, envelope.Id, startedAt, error);
        }
    }
}
