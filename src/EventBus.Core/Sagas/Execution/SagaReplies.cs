using System.Text.Json;
using EventBus.Stores;

namespace EventBus;

/// <summary>Receives reply events and adds each to the inbox of the saga that waits for it.</summary>
internal sealed class SagaReplies(
    SagaStore store,
    SagaRepository repository,
    PublishComponents publishing,
    WakeSignal due,
    BusServices services)
{
    // The maximum number of sagas with the same wait key that get a reply.
    private const int MaxSagasOfKey = 100;

    /// <summary>Builds the wait key of a saga that waits for an event with a key of its own.</summary>
    public static string WaitKeyOf(string saga, string eventName, string key) => $"{saga}~{eventName}~{key}";

    /// <summary>Adds a reply to every saga that waits for it.</summary>
    public async Task ReceiveAsync(SagaDefinition definition, EventContext context, CancellationToken cancellationToken)
    {
        // The sagas that the reply may belong to: the correlation id and the key may each be the id of a saga.
        var sagaIds = new HashSet<string>(StringComparer.Ordinal) { context.CorrelationId };
        if (context.Key is { } key)
        {
            var waitKey = WaitKeyOf(definition.Name, context.EventName, key);
            sagaIds.UnionWith(await store.FindWaitingAsync(waitKey, MaxSagasOfKey, cancellationToken));
            sagaIds.Add(key);
        }

        var descriptor = publishing.Envelopes.DescriptorOf(context.Event!);
        var reply = new SagaReply(descriptor.Name, context.EventId, JsonSerializer.SerializeToElement(context.Event!, descriptor.Json!));
        var anyExists = false;
        foreach (var id in sagaIds)
        {
            anyExists |= await AddToInboxAsync(definition, id, context, reply, cancellationToken);
        }

        if (!anyExists)
        {
            services.Diagnostics.Sagas.Replied(definition.Name, "unknown");
        }
    }

    /// <summary>Logs and counts a reply that is not used.</summary>
    public static void Ignore(SagaReply reply, string saga, string id, BusServices services)
    {
        services.Diagnostics.Sagas.Replied(saga, "late");
        services.Log.SagaReplyIgnored(reply.EventName, reply.EventId, saga, id);
    }

    /// <summary>Adds a reply to the inbox of one saga, or ignores the reply if the saga does not wait for it.</summary>
    /// <returns>True if the saga exists.</returns>
    private async Task<bool> AddToInboxAsync(
        SagaDefinition definition,
        string id,
        EventContext context,
        SagaReply reply,
        CancellationToken cancellationToken)
    {
        var exists = false;
        var waits = false;
        await repository.ChangeAsync(
            id,
            entry =>
            {
                // The change is repeated after a conflict with another write, so the previous results are overwritten.
                exists = entry.Saga == definition.Name;
                waits = false;
                if (!exists
                    || SagaProgress.Read(entry.Content, out _) is not { } progress
                    || !WaitsFor(definition, entry, progress, context.Key, reply.EventName)
                    || AnswersAnotherStep(definition, entry, progress, context.CausationId, reply.EventName))
                {
                    return null;
                }

                waits = true;
                if (progress.HasReceived(reply.EventId) || progress.Inbox.Count >= SagaProgress.MaxInbox)
                {
                    // A duplicate; or the inbox already has many replies to this step, which uses only one.
                    return null;
                }

                var now = services.StoreTime.GetUtcNow();
                progress.Inbox.Add(reply with { Step = progress.Active()!.Name, WaitKey = entry.WaitKey });

                // If an instance holds the saga, the due time is the end of its lease and stays unchanged: that
                // instance checks the inbox before it releases the saga.
                var becomesDue = !progress.Held
                    && entry.Status == SagaStatus.Running
                    && progress.Active() is { Status: SagaStepStatus.Waiting };
                return entry with { ChangedAt = now, DueAt = becomesDue ? now : entry.DueAt, Content = progress.Write() };
            },
            cancellationToken);
        if (waits)
        {
            services.Diagnostics.Sagas.Replied(definition.Name, "used");
            due.Pulse();
        }
        else if (exists)
        {
            Ignore(reply, definition.Name, id, services);
        }

        return exists;
    }

    /// <summary>
    /// True if the current step waits for such an event, or will wait for it after its attempt has ended.
    /// </summary>
    private static bool WaitsFor(SagaDefinition definition, SagaEntry entry, SagaProgress progress, string? key, string eventName)
    {
        if (progress.Active() is not { Status: SagaStepStatus.Executing or SagaStepStatus.Waiting } active)
        {
            return false;
        }

        // A saga whose wait has timed out and that needs attention accepts a reply until an operator retries it.
        var accepts = entry.Status == SagaStatus.Running
            || (entry.Status == SagaStatus.NeedsAttention && active.Status == SagaStepStatus.Waiting);

        // A newer version of the application may have added or changed the step, so the step may wait for this event.
        var isOtherVersion = progress.StateVersion > definition.StateVersion || definition.Find(active.Name) is null;
        var isExpectedEvent = isOtherVersion || definition.Find(active.Name)!.ReplyName == eventName;

        // A saga that waits for a specific key does not accept replies by its id.
        var isExpectedKey = entry.WaitKey is null || (key is not null && entry.WaitKey == WaitKeyOf(definition.Name, eventName, key));
        return accepts && isExpectedEvent && isExpectedKey;
    }

    /// <summary>
    /// True if the event is a late duplicate of a reply to an earlier step that waited for the same type of event: its
    /// cause is an event that the earlier step published.
    /// </summary>
    private bool AnswersAnotherStep(
        SagaDefinition definition,
        SagaEntry entry,
        SagaProgress progress,
        string? causationId,
        string eventName)
    {
        if (!Guid.TryParseExact(causationId, "D", out var cause))
        {
            return false;
        }

        return progress.Steps.Exists(step => step != progress.Active()
            && definition.Find(step.Name)?.ReplyName == eventName
            && Enumerable.Range(1, step.Published).Any(ordinal => SagaEventFactory.IdOf(
                publishing.SagaEnvelopes,
                definition.Name,
                entry.Id,
                step.Name,
                SagaDirection.Execute,
                ordinal) == cause));
    }
}
