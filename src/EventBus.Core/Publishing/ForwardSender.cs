using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Sends the events that another bus of the application forwards to this one. Its failures are logged by the
/// subscription of that bus. Thread-safe.
/// </summary>
internal sealed class ForwardSender(EventSender sender, EventSizeLimits limits, BusServices services)
{
    /// <summary>Sends an event, and completes when the backend has accepted it.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="cancellationToken">Cancels the wait only.</param>
    /// <exception cref="PublishException">The event was not accepted, or this is in doubt.</exception>
    public async Task SendAsync(Envelope envelope, CancellationToken cancellationToken)
    {
        if (envelope.BodyLength > limits.MaxBytes)
        {
            throw EnvelopeErrors.TooLarge(envelope, limits);
        }

        if (!services.Diagnostics.ObservesPublish)
        {
            await sender.SendAsync(envelope, sender.Deadline(), cancellationToken);
            return;
        }

        var startedAt = services.Time.GetTimestamp();
        using var activity = services.Diagnostics.StartPublish(envelope.Name, envelope.TraceParent, envelope.TraceState);
        string? error = null;
        try
        {
            await sender.SendAsync(envelope, sender.Deadline(), cancellationToken);
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
