using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace EventBus;

/// <summary>Creates the traces and metrics of the sagas of one bus.</summary>
internal sealed class SagaDiagnostics(ActivitySource source, Meter meter, TelemetryTags tags)
{
    private readonly Counter<long> ended =
        meter.CreateCounter<long>("eventbus.sagas.ended", "{saga}", "Sagas that ended, or that need attention.");

    private readonly Histogram<double> stateDurations =
        DurationHistogram.CreateLong(meter, "eventbus.saga.state.duration", "The time that a saga spent in a status.");

    private readonly Counter<long> replies = meter.CreateCounter<long>(
        "eventbus.saga.replies",
        "{message}",
        "Events that came as replies to sagas: used, or ignored because no saga waits for them.");

    /// <summary>Starts the root span of a saga.</summary>
    public Activity? Start(string saga, string sagaId) =>
        StartSpan($"saga {saga}", default)?.SetTag("eventbus.saga", saga).SetTag("eventbus.saga.id", sagaId);

    /// <summary>Starts the span of a step's attempt: a child of the saga's root span, on any instance.</summary>
    public Activity? StartStep(string saga, string sagaId, string step, string direction, int attempt, string? traceParent) =>
        StartSpan($"saga {saga} {step} {direction}", SpanParent.Remote(traceParent, traceState: null))
            ?.SetTag("eventbus.saga", saga)
            .SetTag("eventbus.saga.id", sagaId)
            .SetTag("eventbus.saga.step", step)
            .SetTag("eventbus.saga.direction", direction)
            .SetTag("eventbus.attempt", attempt);

    /// <summary>Records the error of a step's attempt on its span.</summary>
    public static void StepEnded(Activity? activity, Exception? error)
    {
        if (error is not null)
        {
            activity?.SetStatus(ActivityStatusCode.Error, ExceptionText.MessageOf(error)).SetTag("error.type", error.GetType().FullName);
        }
    }

    /// <summary>Records that a saga has left a status.</summary>
    public void StatusChanged(string saga, string previous, TimeSpan duration) =>
        stateDurations.Record(Math.Max(duration.TotalSeconds, 0), tags.OfSaga(saga, previous));

    /// <summary>Records that a saga has ended or needs attention.</summary>
    public void Ended(string saga, string status) =>
        ended.Add(1, tags.OfSaga(saga, status));

    /// <summary>Records a reply to a saga.</summary>
    public void Replied(string saga, string outcome) =>
        replies.Add(1, tags.WithBus(new() { { "eventbus.saga", saga }, { "eventbus.outcome", outcome } }));

    private Activity? StartSpan(string name, ActivityContext parent) =>
        tags.AddBus(source.StartActivity(name, ActivityKind.Internal, parent));
}
