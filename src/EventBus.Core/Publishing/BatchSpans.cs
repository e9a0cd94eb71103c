using System.Diagnostics;
using EventBus.Transports;

namespace EventBus;

/// <summary>Creates the spans and the metrics of events that are sent together: each event has its own.</summary>
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

    /// <summary>Ends the spans, and counts the events by their outcomes.</summary>
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
