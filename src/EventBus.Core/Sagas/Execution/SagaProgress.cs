using System.Text.Json;

namespace EventBus;

/// <summary>
/// Holds the progress and the state of a saga: the content of its entry in the store. Only the holder of the saga
/// changes it.
/// </summary>
internal sealed class SagaProgress
{
    public const int MaxInbox = 16;

    private const int MaxHistory = 100;
    private const int MaxUsedReplies = 100;

    /// <summary>The version of the format of <see cref="State"/>.</summary>
    public int StateVersion { get; set; }

    public JsonElement State { get; set; }

    /// <summary>
    /// Identifies the start of the saga, to distinguish it from another start with the same id and the same state.
    /// </summary>
    public string? Start { get; set; }

    /// <summary>
    /// True while an instance holds the saga, to process it. The due time of the entry is then the end of its lease.
    /// </summary>
    public bool Held { get; set; }

    /// <summary>The steps that have begun, in the order in which they began.</summary>
    public List<SagaStepProgress> Steps { get; set; } = [];

    /// <summary>The time at which the saga got its current status.</summary>
    public DateTimeOffset StatusSince { get; set; }

    /// <summary>The step because of which the saga was compensated or needs attention; null for none.</summary>
    public string? FailedStep { get; set; }

    /// <summary>The error of the failed step, in one line; null for none.</summary>
    public string? Error { get; set; }

    /// <summary>The reason why the saga needs attention; null if it does not.</summary>
    public string? Attention { get; set; }

    /// <summary>The type of the exception described by <see cref="Error"/>.</summary>
    public string? ErrorType { get; set; }

    /// <summary>The received replies that no step has processed yet.</summary>
    public List<SagaReply> Inbox { get; set; } = [];

    /// <summary>The ids of the latest replies that were processed or ignored, latest last.</summary>
    public List<string> UsedReplies { get; set; } = [];

    /// <summary>The events of the completed steps that may not have been sent yet.</summary>
    public List<StoredSagaEvent> Outbox { get; set; } = [];

    /// <summary>True if the saga needs attention because the transport rejects events in the outbox.</summary>
    public bool EventsRefused { get; set; }

    /// <summary>The trace parent of the saga.</summary>
    public string? TraceParent { get; set; }

    public List<SagaHistoryEntry> History { get; set; } = [];

    /// <summary>Gets the step that is being executed, waited for or compensated; null if there is none.</summary>
    public SagaStepProgress? Active() =>
        Steps.Find(step => step.Status is SagaStepStatus.Executing or SagaStepStatus.Waiting or SagaStepStatus.Compensating);

    /// <summary>
    /// Gets the reply that a step waits for; null if it has not arrived, or if the step waits for none.
    /// </summary>
    public SagaReply? ReplyFor(SagaStepProgress step, string? eventName) =>
        eventName is null ? null : Inbox.Find(reply => reply.Step == step.Name && reply.EventName == eventName);

    /// <summary>True if a reply with this id was received before.</summary>
    public bool HasReceived(string eventId) => Inbox.Exists(reply => reply.EventId == eventId) || UsedReplies.Contains(eventId);

    /// <summary>True if a received reply still belongs to the active step.</summary>
    /// <param name="reply">The reply.</param>
    /// <param name="waitKey">The key that the step waits for; null for the saga's id.</param>
    public bool IsForActiveStep(SagaReply reply, string? waitKey) =>
        Active() is { Status: SagaStepStatus.Executing or SagaStepStatus.Waiting } active
            && active.Name == reply.Step
            && (waitKey is null || waitKey == reply.WaitKey);

    /// <summary>Removes a reply, and remembers its id so that no step accepts a duplicate of it.</summary>
    public void Forget(SagaReply reply)
    {
        Inbox.Remove(reply);
        UsedReplies.Add(reply.EventId);
        if (UsedReplies.Count > MaxUsedReplies)
        {
            UsedReplies.RemoveAt(0);
        }
    }

    /// <summary>Removes all replies.</summary>
    public void ForgetReplies() => Inbox.ToList().ForEach(Forget);

    /// <summary>Gets the names of the compensated steps, in the order of their compensation.</summary>
    public IReadOnlyList<string> CompensatedSteps() =>
        [.. Enumerable.Reverse(Steps).Where(step => step.Status == SagaStepStatus.Compensated).Select(step => step.Name)];

    public void AddHistory(DateTimeOffset at, string? step, string text)
    {
        History.Add(new SagaHistoryEntry(at, step, text));
        if (History.Count > MaxHistory)
        {
            History.RemoveRange(0, History.Count - MaxHistory);
        }
    }

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, SagaJson.Default.SagaProgress);

    /// <summary>Reads the content of an entry.</summary>
    /// <param name="content">The content.</param>
    /// <param name="defect">The reason why it cannot be read; null if it was read.</param>
    /// <returns>The progress; null if the content cannot be read.</returns>
    public static SagaProgress? Read(ReadOnlyMemory<byte> content, out string? defect)
    {
        try
        {
            var progress = JsonSerializer.Deserialize(content.Span, SagaJson.Default.SagaProgress);
            defect = progress is null ? "The stored state cannot be read: it is null." : null;
            return progress;
        }
        catch (JsonException exception)
        {
            defect = $"The stored state cannot be read: {ReadFailure.Describe(exception)}.";
            return null;
        }
    }
}
