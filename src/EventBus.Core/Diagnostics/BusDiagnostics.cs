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

    private const string BusTag = "eventbus.bus";

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
    private readonly Counter<long> sagasEnded;
    private readonly Histogram<double> sagaStates;
    private readonly Counter<long> sagaReplies;
    private string system = "";
    private string? busKey;
    private Func<string, bool> isDeclared = static _ => true;

    public BusDiagnostics(IMeterFactory? meters, TimeProvider time)
    {
        this.time = time;
        meter = meters?.Create(Name) ?? new Meter(Name);
        ownsMeter = meters is null;
        sent = meter.CreateCounter<long>("messaging.client.sent.messages", "{message}", "Events that a publisher tried to send.");
        sendDuration = meter.CreateHistogram<double>(
            "messaging.client.operation.duration",
            "s",
            "The time that the backend took to accept an event.");
        consumed = meter.CreateCounter<long>("messaging.client.consumed.messages", "{message}", "Deliveries that a subscription took.");
        processDuration = meter.CreateHistogram<double>("messaging.process.duration", "s", "The duration of a handler.");
        unrouted = meter.CreateCounter<long>("eventbus.unrouted", "{message}", "Events without a subscription.");
        retries = meter.CreateCounter<long>("eventbus.retries", "{message}", "Failed attempts that are retried.");
        deadLetters = meter.CreateCounter<long>("eventbus.dead_letters", "{message}", "Events that failed for good.");
        sagasEnded = meter.CreateCounter<long>("eventbus.sagas.ended", "{saga}", "Sagas that ended, or that need attention.");
        sagaStates = meter.CreateHistogram<double>("eventbus.saga.state.duration", "s", "The time that a saga spent in a status.");
        sagaReplies = meter.CreateCounter<long>(
            "eventbus.saga.replies",
            "{message}",
            "Events that came as replies to sagas: used, or ignored because no saga waits for them.");
    }

    /// <summary>True if a listener observes publishing.</summary>
    public bool ObservesPublish => source.HasListeners() || sent.Enabled || sendDuration.Enabled;

    /// <summary>True if a listener observes handling.</summary>
    public bool ObservesProcess => source.HasListeners() || consumed.Enabled || processDuration.Enabled;

    /// <summary>Sets the values that the tags need and that are known only after the bus was planned.</summary>
    /// <param name="messagingSystem">The backend.</param>
    /// <param name="key">The key of the bus; null for the default bus, which has no tag of its own.</param>
    /// <param name="knowsEvent">
    /// Returns true if the application declared an event name. Other names are not used as metric tags, because their
    /// number is unbounded.
    /// </param>
    public void Describe(string messagingSystem, string? key, Func<string, bool> knowsEvent)
    {
        system = messagingSystem;
        busKey = key;
        isDeclared = knowsEvent;
    }

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
        // An event that is sent later, such as an event that a saga publishes, belongs to the trace in which it was
        // published. The default context means that the current activity is the parent.
        var parent = default(ActivityContext);
        if (traceParent is not null && traceParent != Activity.Current?.Id)
        {
            _ = ActivityContext.TryParse(traceParent, traceState, out parent);
        }

        var activity = Start($"publish {eventName}", ActivityKind.Producer, parent);
        activity?.SetTag("messaging.system", system)
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
        var tags = Tags(new()
        {
            { "messaging.system", system },
            { "messaging.operation.name", "publish" },
            { "messaging.destination.name", eventName }
        });
        if (errorType is not null)
        {
            tags.Add("error.type", errorType);
            activity?.SetStatus(ActivityStatusCode.Error, errorType).SetTag("error.type", errorType);
        }

        activity?.SetTag("messaging.message.id", eventId);
        sent.Add(1, tags);
        sendDuration.Record(time.GetElapsedTime(startedAt).TotalSeconds, tags);
    }

    public Activity? StartProcess(in ProcessedEvent handled, string? traceParent, string? traceState)
    {
        // The handler's span is a child of the publish span, so that one business process is one tree.
        // Without a valid trace context, the span has no remote parent.
        _ = ActivityContext.TryParse(traceParent, traceState, isRemote: true, out var parent);
        var activity = Start($"process {DeclaredOrOther(handled.EventName)}", ActivityKind.Consumer, parent);
        activity?.SetTag("messaging.system", system)
            .SetTag("messaging.operation.name", "process")
            .SetTag("messaging.operation.type", "process")
            .SetTag("messaging.destination.name", handled.EventName)
            .SetTag("messaging.consumer.group.name", handled.Subscription)
            .SetTag("messaging.message.id", handled.EventId)
            .SetTag("messaging.message.conversation_id", handled.CorrelationId)
            .SetTag("eventbus.attempt", handled.Attempt);
        return activity;
    }

    public void Processed(Activity? activity, in ProcessedEvent handled, long startedAt, Exception? error)
    {
        var tags = SubscriptionTags(handled.EventName, handled.Subscription);
        tags.Add("messaging.operation.name", "process");
        if (error is not null)
        {
            tags.Add("error.type", error.GetType().FullName);
            activity?.SetStatus(ActivityStatusCode.Error, ExceptionText.MessageOf(error)).SetTag("error.type", error.GetType().FullName);
        }

        consumed.Add(1, tags);
        processDuration.Record(time.GetElapsedTime(startedAt).TotalSeconds, tags);
    }

    public void Unrouted(string eventName)
    {
        if (unrouted.Enabled)
        {
            unrouted.Add(1, Tags(new() { { "messaging.system", system }, { "messaging.destination.name", eventName } }));
        }
    }

    public void WillRetry(string eventName, string subscription) => retries.Add(1, SubscriptionTags(eventName, subscription));

    public void DeadLettered(string eventName, string subscription, DeadLetterReason reason)
    {
        var tags = SubscriptionTags(eventName, subscription);
        tags.Add("eventbus.reason", reason.ToString());
        deadLetters.Add(1, tags);
    }

    /// <summary>Starts the root span of a saga.</summary>
    public Activity? StartSaga(string saga, string sagaId)
    {
        var activity = Start($"saga {saga}", ActivityKind.Internal, default);
        activity?.SetTag("eventbus.saga", saga).SetTag("eventbus.saga.id", sagaId);
        return activity;
    }

    /// <summary>Starts the span of a step's attempt: a child of the saga's root span, on any instance.</summary>
    public Activity? StartSagaStep(string saga, string sagaId, string step, string direction, int attempt, string? traceParent)
    {
        _ = ActivityContext.TryParse(traceParent, null, isRemote: true, out var parent);
        var activity = Start($"saga {saga} {step} {direction}", ActivityKind.Internal, parent);
        activity?.SetTag("eventbus.saga", saga)
            .SetTag("eventbus.saga.id", sagaId)
            .SetTag("eventbus.saga.step", step)
            .SetTag("eventbus.saga.direction", direction)
            .SetTag("eventbus.attempt", attempt);
        return activity;
    }

    public static void SagaStepEnded(Activity? activity, Exception? error)
    {
        if (error is not null)
        {
            activity?.SetStatus(ActivityStatusCode.Error, ExceptionText.MessageOf(error)).SetTag("error.type", error.GetType().FullName);
        }
    }

    /// <summary>Records that a saga has left a status.</summary>
    public void SagaStatusChanged(string saga, string previous, TimeSpan duration) =>
        sagaStates.Record(
            Math.Max(duration.TotalSeconds, 0),
            Tags(new() { { "eventbus.saga", saga }, { "eventbus.saga.status", previous } }));

    /// <summary>Records that a saga has ended or needs attention.</summary>
    public void SagaEnded(string saga, string status) =>
        sagasEnded.Add(1, Tags(new() { { "eventbus.saga", saga }, { "eventbus.saga.status", status } }));

    /// <summary>Records a reply to a saga.</summary>
    public void SagaReplied(string saga, string outcome) =>
        sagaReplies.Add(1, Tags(new() { { "eventbus.saga", saga }, { "eventbus.outcome", outcome } }));

    public void Dispose()
    {
        source.Dispose();
        if (ownsMeter)
        {
            meter.Dispose();
        }
    }

    private TagList SubscriptionTags(string eventName, string subscription) => Tags(new()
    {
        { "messaging.system", system },
        { "messaging.destination.name", DeclaredOrOther(eventName) },
        { "messaging.consumer.group.name", subscription },
    });

    /// <summary>Adds the tag with the key of the bus, if the bus has a key.</summary>
    private TagList Tags(TagList tags)
    {
        if (busKey is not null)
        {
            tags.Add(BusTag, busKey);
        }

        return tags;
    }

    private Activity? Start(string name, ActivityKind kind, ActivityContext parent)
    {
        var activity = source.StartActivity(name, kind, parent);
        return busKey is null ? activity : activity?.SetTag(BusTag, busKey);
    }

    /// <summary>
    /// Returns the event name if the application declared it. Otherwise returns <c>_OTHER</c>, which the OpenTelemetry
    /// conventions define for values that are not known.
    /// </summary>
    private string DeclaredOrOther(string eventName) => isDeclared(eventName) ? eventName : "_OTHER";
}
