using System.Diagnostics;
using EventBus.Transports;

namespace EventBus;

/// <summary>Records a span and the metrics of each event of a batch that is sent with one call.</summary>
internal sealed class BatchSpans(BusDiagnostics diagnostics)
{
    /// <summary>Starts the span of each event. The elements are null if no listener records spans.</summary>
    public Activity?[] Start(ReadOnlySpan<Envelope> batch)
    {
        var parent = Activity.Current;
        var activities = new Activity?[batch.Length];
        for (var i = 0; i < batch.Length; i++)
        {
            activities[i] = diagnostics.StartPublish(batch[i].Name, batch[i].TraceParent, batch[i].TraceState);
            batch[i].TraceParent = activities[i]?.Id ?? batch[i].TraceParent;

            // The activities are siblings, not nested.
            Activity.Current = parent;
        }

        return activities;
    }

    /// <summary>Ends the spans, and records the metrics of the events.</summary>
    public void End(
        Activity?[] activities,
        ReadOnlySpan<Envelope> batch,
        ReadOnlySpan<PublishOutcome> outcomes,
        long startedAt)
    {
        for (var i = 0; i < activities.Length; i++)
        {
            var status = outcomes[i].Status;
            var error = status is PublishStatus.Accepted or PublishStatus.Unrouted ? null : status.ToString();
            diagnostics.Published(activities[i], batch[i].Name, batch[i].Id, startedAt, error);
            activities[i]?.Dispose();
        }
    }
}
