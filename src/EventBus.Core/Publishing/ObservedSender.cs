using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Sends single events with telemetry, with a timeout of their own, or at a later time. Slower than
/// <see cref="EventSender"/>.
/// </summary>
internal sealed class ObservedSender(EventSender sender, DelayedEventWriter delays, BusServices services)
{
    private readonly TimeProvider time = services.Time;

    /// <summary>Sends an event. Its timeout is that of the bus if it has none of its own.</summary>
    public async Task SendAsync(Envelope envelope, TimeSpan? timeout, CancellationToken cancellationToken)
    {
        var ownDeadline = timeout is { } own ? new CancellationTokenSource(own, time) : null;
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

    /// <summary>Sends an event until a deadline.</summary>
    public async Task SendAsync(Envelope envelope, CancellationToken deadline, CancellationToken cancellationToken)
    {
        var startedAt = time.GetTimestamp();
        using var activity = services.Diagnostics.StartPublish(envelope.Name, envelope.TraceParent, envelope.TraceState);
        envelope.TraceParent = activity?.Id ?? envelope.TraceParent;
        string? error = null;
        try
        {
            await (envelope.NotBefore is { } dueAt && dueAt > time.GetUtcNow()
                ? delays.AddAsync(envelope, dueAt, deadline, cancellationToken)
                : sender.SendAsync(envelope, deadline, cancellationToken));
        }
        catch (Exception exception)
        {
            error = (exception as PublishException)?.Failure.ToString() ?? exception.GetType().FullName;
            throw;
        }
        finally
        {
            services.Diagnostics.Published(activity, envelope.Name, envelope.Id, startedAt, error);
        }
    }
}
