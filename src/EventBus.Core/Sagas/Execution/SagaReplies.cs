using System.Text.Json;
using EventBus.Stores;

namespace EventBus;

/// <summary>Receives reply events and adds each to the inbox of the saga that waits for it.</summary>
internal sealed class SagaReplies(
    SagaStore store,
    SagaRepository repository,
    EnvelopeFactory envelopes,
    WakeSignal due,
    BusServices services)
{
    private const int MaxFound = 100;

    /// <summary>Builds the key by which a reply finds a saga that waits for an event with a key.</summary>
    public static string WaitKeyOf(string saga, string eventName, string key) => $"{saga}~{eventName}~{key}";

    /// <summary>Adds a reply to every saga that waits for it.</summary>
    public async Task ReceiveAsync(SagaDefinition definition, EventContext context, CancellationToken cancellationToken)
    {
        var found = new HashSet<string>(StringComparer.Ordinal) { context.CorrelationId };
        if (context.Key is { } key)
        {
            found.UnionWith(await store.FindWaitingAsync(WaitKeyOf(definition.Name, context.EventName, key), MaxFound, cancellationToken));
            found.Add(key);
        }

        var descriptor = envelopes.DescriptorOf(context.Event!);
        var reply = new SagaReply(descriptor.Name, context.EventId, JsonSerializer.SerializeToElement(context.Event!, descriptor.Json!));
        var known = false;
        foreach (var id in found)
        {
            known |= await TakeInAsync(definition, id, context, reply, cancellationToken);
        }

        if (!known)
        {
            services.Diagnostics.SagaReplied(definition.Name, "unknown");
        }
    }

    /// <summary>Logs and counts a reply that is not used.</summary>
    public static void Ignore(SagaReply reply, string saga, string id, BusServices services)
    {
        services.Diagnostics.SagaReplied(saga, "late");
        services.Log.SagaReplyIgnored(reply.EventName, reply.EventId, saga, id);
    }

    /// <summary>Adds a reply to the inbox of one saga, or ignores the reply if the saga does not wait for it.</summary>
    /// <returns>True if the saga exists.</returns>
    private async Task<bool> TakeInAsync(
        SagaDefinition definition,
        string id,
        EventContext context,
        SagaReply reply,
        CancellationToken cancellationToken)
    {
        var (exists, waits) = (false, false);
        await repository.ChangeAsync(
            id,
            entry =>
            {
                (exists, waits) = (entry.Saga == definition.Name, false);
                if (!exists
                    || SagaProgress.Read(entry.Content, out _) is not { } progress
                    || !WaitsFor(definition, entry, progress, context.Key, reply.EventName)
                    || AnswersAnother(definition, entry, progress, context.CausationId, reply.EventName))
                {
                    return null;
                }

                waits = true;
                if (progress.Knows(reply.EventId) || progress.Inbox.Count >= SagaProgress.MaxInbox)
                {
                    return null;
                }

                var now = services.StoreTime.GetUtcNow();
                progress.Inbox.Add(reply with { Step = progress.Active()!.Name, WaitKey = entry.WaitKey });

                // The holder of the saga checks the inbox before it releases the saga.
                var waiting = !progress.Held
                    && entry.Status == SagaStatus.Running
                    && progress.Active() is { Status: SagaStepStatus.Waiting };
                return entry with { ChangedAt = now, DueAt = waiting ? now : entry.DueAt, Content = progress.Write() };
            },
            cancellationToken);
        if (waits)
        {
            services.Diagnostics.SagaReplied(definition.Name, "used");
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
    private static bool WaitsFor(SagaDefinition definition, SagaEntry entry, SagaProgress progress, string? key, string eventName) =>
        progress.Active() is { Status: SagaStepStatus.Executing or SagaStepStatus.Waiting } active

        // A saga whose wait has timed out and that needs attention accepts a reply until an operator retries it.
        && (entry.Status == SagaStatus.Running || (entry.Status == SagaStatus.NeedsAttention && active.Status == SagaStepStatus.Waiting))

        // This application may not know the step, because a newer version of the application has added it. Such a step
        // may wait for the event.
        && (progress.StateVersion > definition.StateVersion || definition.Find(active.Name) is not { } step || step.ReplyName == eventName)

        // A saga that waits for a specific key does not accept replies by its id.
        && (entry.WaitKey is null || (key is not null && entry.WaitKey == WaitKeyOf(definition.Name, eventName, key)));

    /// <summary>
    /// True if the event is a duplicate reply to another step that waits for the same event: its cause is an event that
    /// the other step published. Such a reply arrives after the saga has continued.
    /// </summary>
    private bool AnswersAnother(SagaDefinition definition, SagaEntry entry, SagaProgress progress, string? causationId, string eventName) =>
        Guid.TryParseExact(causationId, "D", out var question)
        && progress.Steps.Exists(step => step != progress.Active() && definition.Find(step.Name)?.ReplyName == eventName
            && Enumerable.Range(1, step.Published).Any(ordinal => SagaEventFactory.IdOf(
                envelopes,
                definition.Name,
                entry.Id,
                step.Name,
                SagaDirection.Execute,
                ordinal) == question));
}
