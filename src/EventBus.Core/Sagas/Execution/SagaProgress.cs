using System.Text.Json;

namespace EventBus;

/// <summary>How far a saga is, and its state: what a store keeps as the content of its entry. Changed by whoever holds the saga.</summary>
internal sealed class SagaProgress
{
    public const int MaxHistory = 100;
    public const int MaxInbox = 16;

    /// <summary>The version in which <see cref="State"/> is written.</summary>
    public int StateVersion { get; set; }

    public JsonElement State { get; set; }

    /// <summary>Tells its start from any other, also one under the same id with the same state.</summary>
    public string? Start { get; set; }

    /// <summary>An instance works on it: the entry is due when its lease ends.</summary>
    public bool Held { get; set; }

    /// <summary>The steps that were begun, in the order in which they were begun.</summary>
    public List<SagaStepProgress> Steps { get; set; } = [];

    /// <summary>Since when it has its status.</summary>
    public DateTimeOffset StatusSince { get; set; }

    public string? FailedStep { get; set; }

    /// <summary>The error that it failed of, in one line.</summary>
    public string? Error { get; set; }

    /// <summary>Why it needs attention; null while it does not.</summary>
    public string? Attention { get; set; }

    /// <summary>The type of that error.</summary>
    public string? ErrorType { get; set; }

    /// <summary>Replies that were not used yet.</summary>
    public List<SagaReply> Inbox { get; set; } = [];

    /// <summary>The ids of the replies that were used or ignored, the latest last.</summary>
    public List<string> UsedReplies { get; set; } = [];

    /// <summary>Events that belong to what was done, and may not have been sent yet.</summary>
    public List<StoredSagaEvent> Outbox { get; set; } = [];

    /// <summary>It needs attention because what is in the outbox cannot be sent.</summary>
    public bool EventsRefused { get; set; }

    /// <summary>The trace that it belongs to.</summary>
    public string? TraceParent { get; set; }

    public List<SagaHistoryEntry> History { get; set; } = [];

    /// <summary>The step that is being executed, waited for or undone; null between two of them.</summary>
    public SagaStepProgress? Active() => Steps.Find(step => step.Status is SagaStepStatus.Executing or SagaStepStatus.Waiting or SagaStepStatus.Compensating);

    /// <summary>The reply that a step waits for, if it has come.</summary>
    public SagaReply? ReplyFor(SagaStepProgress step, string? eventName) => eventName is null ? null : Inbox.Find(reply => reply.Step == step.Name && reply.EventName == eventName);

    /// <summary>A reply came before.</summary>
    public bool Knows(string eventId) => Inbox.Exists(reply => reply.EventId == eventId) || UsedReplies.Contains(eventId);

    /// <summary>A reply that was taken in still concerns the step that is active.</summary>
    /// <param name="reply">The reply.</param>
    /// <param name="waitKey">The key that the step waits for; null for the saga's id.</param>
    public bool Concerns(SagaReply reply, string? waitKey) =>
        Active() is { Status: SagaStepStatus.Executing or SagaStepStatus.Waiting } active && active.Name == reply.Step && (waitKey is null || waitKey == reply.WaitKey);

    /// <summary>A reply is not needed any more: a copy of it is not taken in again, for whichever step.</summary>
    public void Forget(SagaReply reply)
    {
        Inbox.Remove(reply);
        UsedReplies.Add(reply.EventId);
        if (UsedReplies.Count > MaxHistory)
        {
            UsedReplies.RemoveAt(0);
        }
    }

    /// <summary>No reply is needed any more.</summary>
    public void ForgetReplies() => Inbox.ToList().ForEach(Forget);

    /// <summary>The steps that were undone, in the order in which they were.</summary>
    public IReadOnlyList<string> Undone() => [.. Enumerable.Reverse(Steps).Where(step => step.Status == SagaStepStatus.Compensated).Select(step => step.Name)];

    public void Note(DateTimeOffset at, string? step, string text)
    {
        History.Add(new SagaHistoryEntry(at, step, text));
        if (History.Count > MaxHistory)
        {
            History.RemoveRange(0, History.Count - MaxHistory);
        }
    }

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, SagaJson.Default.SagaProgress);

    /// <summary>Reads the content of an entry; null, and why, when it cannot be read.</summary>
    public static SagaProgress? Read(ReadOnlyMemory<byte> content, out string? defect)
    {
        try
        {
            defect = null;
            return JsonSerializer.Deserialize(content.Span, SagaJson.Default.SagaProgress) ?? throw new JsonException("It is null.");
        }
        catch (JsonException exception)
        {
            defect = $"What is stored of it cannot be read: {ReadFailure.Describe(exception)}.";
            return null;
        }
    }
}
