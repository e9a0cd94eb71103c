using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace EventBus;

/// <summary>
/// Creates the traces and metrics of one bus, by the OpenTelemetry semantic conventions for messaging. Creates and
/// measures nothing while there is no listener.
/// </summary>
/// <remarks>
/// The activity source and the meter are named <c>EventBus</c>. Metrics beyond the conventions have the prefix
/// <c>eventbus.</c>
/// </remarks>
internal sealed class BusDiagnostics : IDisposable
{
    public const string Name = "EventBus";

    private readonly ActivitySource source = new(Name);
    private readonly Meter meter;
    private readonly bool ownsMeter;
    private readonly TimeProvider time;
    private readonly Counter<long> sent;
    private readonly Histogram<double> sendDuration;
    private readonly Counter<long> consumed;
    private readonly Histogram<double> processDuration;
    private readonly Counter<long> unrouted;
    private readonly Counter<long> retries;
    private readonly Counter<long> deadLetters;
    private readonly TelemetryTags tags = new();

    public BusDiagnostics(IMeterFactory? meters, TimeProvider time)
    {
        this.time = time;
        meter = meters?.Create(Name) ?? new Meter(Name);
        ownsMeter = meters is null;
        sent = meter.CreateCounter<long>("messaging.client.sent.messages", "{message}", "Events that a publisher tried to send.");
        sendDuration = DurationHistogram.Create(
            meter,
            "messaging.client.operation.duration",
            "The time that the backend took to accept an event.");
        consumed = meter.CreateCounter<long>("messaging.client.consumed.messages", "{message}", "Deliveries that a subscription took.");
        processDuration = DurationHistogram.Create(meter, "messaging.process.duration", "The duration of a handler.");
        unrouted = meter.CreateCounter<long>("eventbus.unrouted", "{message}", "Events without a subscription.");
        retries = meter.CreateCounter<long>("eventbus.retries", "{message}", "Failed attempts that are retried.");
        deadLetters = meter.CreateCounter<long>("eventbus.dead_letters", "{message}", "Events that failed for good.");
        Sagas = new SagaDiagnostics(source, meter, tags);
        State = new StateDiagnostics(meter, tags);
    }

    /// <summary>The traces and metrics of sagas.</summary>
    public SagaDiagnostics Sagas { get; }

    /// <summary>The gauges of what the stores and the backend hold.</summary>
    public StateDiagnostics State { get; }

    /// <summary>True if a listener observes publishing.</summary>
    public bool ObservesPublish => source.HasListeners() || sent.Enabled || sendDuration.Enabled;

    /// <summary>True if a listener observes handling.</summary>
    public bool ObservesProcess => source.HasListeners() || consumed.Enabled || processDuration.Enabled;

    /// <summary>Sets the values that the tags need and that are known only after the bus was planned.</summary>
    /// <param name="messagingSystem">The name of the backend.</param>
    /// <param name="key">The key of the bus; null for the default bus, which has no tag of its own.</param>
    /// <param name="knowsEvent">
    /// Returns true if the application declared an event name. Other names are not used as metric tags, because their
    /// number is unbounded.
    /// </param>
    public void Describe(string messagingSystem, string? key, Func<string, bool> knowsEvent) =>
        tags.Describe(messagingSystem, key, knowsEvent);

    /// <summary>
    /// Returns the id of the current activity, which becomes the trace context of an event; null if there is none.
    /// </summary>
    public static string? CurrentTraceParent() => Activity.Current is { IdFormat: ActivityIdFormat.W3C } activity ? activity.Id : null;

    /// <summary>Starts the span of a publish.</summary>
    /// <param name="eventName">The name of the event.</param>
    /// <param name="traceParent">The W3C trace context of the event; null for that of the caller.</param>
    /// <param name="traceState">The W3C <c>tracestate</c> of the event; null for none.</param>
    public Activity? StartPublish(string eventName, string? traceParent, string? traceState)
    {
        var activity = Start($"publish {eventName}", ActivityKind.Producer, SpanParent.OfPublish(traceParent, traceState));
        activity?.SetTag("messaging.system", tags.MessagingSystem)
            .SetTag("messaging.operation.name", "publish")
            .SetTag("messaging.operation.type", "send")
            .SetTag("messaging.destination.name", eventName);
        return activity;
    }

    /// <summary>Records the end of a publish.</summary>
    /// <param name="activity">The span; null if there is none.</param>
    /// <param name="eventName">The name of the event.</param>
    /// <param name="eventId">The id of the event.</param>
    /// <param name="startedAt">The timestamp of the start, by the clock of the bus.</param>
    /// <param name="errorType">The kind of failure; null if the event was accepted.</param>
    public void Published(Activity? activity, string eventName, string? eventId, long startedAt, string? errorType)
    {
        var values = tags.OfEvent(eventName);
        values.Add("messaging.operation.name", "publish");
        if (errorType is not null)
        {
            values.Add("error.type", errorType);
            activity?.SetStatus(ActivityStatusCode.Error, errorType).SetTag("error.type", errorType);
        }

        activity?.SetTag("messaging.message.id", eventId);
        sent.Add(1, values);
        sendDuration.Record(time.GetElapsedTime(startedAt).TotalSeconds, values);
    }

    /// <summary>Starts the span of an attempt to handle an event.</summary>
    public Activity? StartProcess(in ProcessedEvent handled, string? traceParent, string? traceState)
    {
        // The handler's span is a child of the publish span, so that one business process is one tree.
        var parent = SpanParent.Remote(traceParent, traceState);
        var activity = Start($"process {tags.DeclaredOrOther(handled.EventName)}", ActivityKind.Consumer, parent);
        activity?.SetTag("messaging.system", tags.MessagingSystem)
            .SetTag("messaging.operation.name", "process")
            .SetTag("messaging.operation.type", "process")
            .SetTag("messaging.destination.name", handled.EventName)
            .SetTag("messaging.consumer.group.name", handled.Subscription)
            .SetTag("messaging.message.id", handled.EventId)
            .SetTag("messaging.message.conversation_id", handled.CorrelationId)
            .SetTag("eventbus.attempt", handled.Attempt);
        return activity;
    }

    /// <summary>Records the end of an attempt to handle an event.</summary>
    public void Processed(Activity? activity, in ProcessedEvent handled, long startedAt, Exception? error)
    {
        var values = tags.OfSubscription(handled.EventName, handled.Subscription);
        values.Add("messaging.operation.name", "process");
        if (error is not null)
        {
            values.Add("error.type", error.GetType().FullName);
            activity?.SetStatus(ActivityStatusCode.Error, ExceptionText.MessageOf(error)).SetTag("error.type", error.GetType().FullName);
        }

        consumed.Add(1, values);
        processDuration.Record(time.GetElapsedTime(startedAt).TotalSeconds, values);
    }

    public void Unrouted(string eventName)
    {
        if (unrouted.Enabled)
        {
            unrouted.Add(1, tags.OfEvent(eventName));
        }
    }

    public void WillRetry(string eventName, string subscription) => retries.Add(1, tags.OfSubscription(eventName, subscription));

    public void DeadLettered(string eventName, string subscription, DeadLetterReason reason)
    {
        var values = tags.OfSubscription(eventName, subscription);
        values.Add("eventbus.reason", reason.ToString());
        deadLetters.Add(1, values);
    }

    public void Dispose()
    {
        source.Dispose();
        if (ownsMeter)
        {
            meter.Dispose();
        }
    }

    private Activity? Start(string name, ActivityKind kind, ActivityContext parent) =>
        tags.AddBus(source.StartActivity(name, kind, parent));
}
