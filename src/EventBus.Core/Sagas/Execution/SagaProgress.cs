using System.Text.Json;

namespace EventBus;

/// <summary>
/// Holds the progress and the state of a saga: the content of its entry in the store. Only the holder of the saga
/// changes it.
/// </summary>
internal sealed class SagaProgress
{
    public const int MaxHistory = 100;
    public const int MaxInbox = 16;

    /// <summary>The version of the format of <see cref="State"/>.</summary>
    public int StateVersion { get; set; }

    public JsonElement State { get; set; }

    /// <summary>
    /// Identifies the start of the saga, to distinguish it from another start with the same id and the same state.
    /// </summary>
    public string? Start { get; set; }

    /// <summary>
    /// True while an instance processes the saga. The due time of the entry is then the end of the lease.
    /// </summary>
    public bool Held { get; set; }

    /// <summary>The steps that have begun, in the order in which they began.</summary>
    public List<SagaStepProgress> Steps { get; set; } = [];

    /// <summary>The time at which it got its current status.</summary>
    public DateTimeOffset StatusSince { get; set; }

    public string? FailedStep { get; set; }

    /// <summary>The error of the failed step, in one line.</summary>
    public string? Error { get; set; }

    /// <summary>The reason why it needs attention; null if it does not.</summary>
    public string? Attention { get; set; }

    /// <summary>The type of the exception described by <see cref="Error"/>.</summary>
    public string? ErrorType { get; set; }

    /// <summary>The replies that were not used yet.</summary>
    public List<SagaReply> Inbox { get; set; } = [];

    /// <summary>The ids of the used or ignored replies, latest last.</summary>
    public List<string> UsedReplies { get; set; } = [];

    /// <summary>The events of the completed steps that may not have been sent yet.</summary>
    public List<StoredSagaEvent> Outbox { get; set; } = [];

    /// <summary>True if it needs attention because the events in the outbox cannot be sent.</summary>
    public bool EventsRefused { get; set; }

    /// <summary>The trace parent of the saga.</summary>
    public string? TraceParent { get; set; }

    public List<SagaHistoryEntry> History { get; set; } = [];

    /// <summary>Gets the step that is being executed, waited for or compensated; null if there is none.</summary>
    public SagaStepProgress? Active() =>
        Steps.Find(step => step.Status is SagaStepStatus.Executing or SagaStepStatus.Waiting or SagaStepStatus.Compensating);

    /// <summary>Gets the reply that a step waits for; null if it has not arrived.</summary>
    public SagaReply? ReplyFor(SagaStepProgress step, string? eventName) =>
        eventName is null ? null : Inbox.Find(reply => reply.Step == step.Name && reply.EventName == eventName);

    /// <summary>True if a reply with this id was received before.</summary>
    public bool Knows(string eventId) => Inbox.Exists(reply => reply.EventId == eventId) || UsedReplies.Contains(eventId);

    /// <summary>True if a received reply still belongs to the active step.</summary>
    /// <param name="reply">The reply.</param>
    /// <param name="waitKey">The key that the step waits for; null for the saga's id.</param>
    public bool Concerns(SagaReply reply, string? waitKey) =>
        Active() is { Status: SagaStepStatus.Executing or SagaStepStatus.Waiting } active
            && active.Name == reply.Step
            && (waitKey is null || waitKey == reply.WaitKey);

    /// <summary>Removes a reply, and remembers its id so that no step accepts a duplicate of it.</summary>
    public void Forget(SagaReply reply)
    {
        Inbox.Remove(reply);
        UsedReplies.Add(reply.EventId);
        if (UsedReplies.Count > MaxHistory)
        {
            UsedReplies.RemoveAt(0);
        }
    }

    /// <summary>Removes all replies.</summary>
    public void ForgetReplies() => Inbox.ToList().ForEach(Forget);

    /// <summary>Gets the names of the compensated steps, in the order of their compensation.</summary>
    public IReadOnlyList<string> Undone() =>
        [.. Enumerable.Reverse(Steps).Where(step => step.Status == SagaStepStatus.Compensated).Select(step => step.Name)];

    public void Note(DateTimeOffset at, string? step, string text)
    {
        History.Add(new SagaHistoryEntry(at, step, text));
        if (History.Count > MaxHistory)
        {
            History.RemoveRange(0, History.Count - MaxHistory);
        }
    }

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, SagaJson.Default.SagaProgress);

    /// <summary>Reads the content of an entry. Returns null and the reason if it cannot be read.</summary>
    public static SagaProgress? Read(ReadOnlyMemory<byte> content, out string? defect)
    {
        try
        {
            defect = null;
            return JsonSerializer.Deserialize(content.Span, SagaJson.Default.SagaProgress) ?? throw new JsonException("It is null.");
        }
        catch (JsonException exception)
        {
            defect = $"The stored state cannot be read: {ReadFailure.Describe(exception)}.";
            return null;
        }
    }
}
