using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Sends the events that a saga has published.</summary>
internal sealed class SagaOutboxSender(SagaDefinition definition, BatchSender batches, SagaStateWriter writer, BusServices services)
{
    // The delay before a saga's events are sent again. It does not count as a retry of a step: the failed publish has
    // already used its full timeout.
    private static readonly TimeSpan SendBackoff = TimeSpan.FromSeconds(5);

    private readonly string sending = $"events of the saga {definition.Name}";
    private readonly TimeProvider time = services.StoreTime;

    /// <summary>Sends the events in the outbox.</summary>
    /// <returns>False if they could not be sent and the saga was released for later.</returns>
    public async Task<bool> SendAsync(LeasedSaga leased)
    {
        if (leased.Progress.Outbox.Count == 0 || leased.IsDispatched)
        {
            return true;
        }

        var kept = leased.Progress.Outbox;
        var problems =
            await batches.TrySendAsync([.. kept.Select(item => StoreFormat.Read(item.Attributes, item.Body, item.Id, item.Name))]);
        var left = kept.Zip(problems).Where(item => item.Second is not null).ToList();
        if (left.Find(item => !IsRefusal(item.Second!)) is { Second: { } problem })
        {
            var dueAt = time.GetUtcNow() + SendBackoff;
            services.Log.Failing(sending, problem, logger => logger.SagaEventsWait(definition.Name, leased.Id, dueAt, problem));
            await writer.ReleaseUntilAsync(
                leased,
                progress =>
                {
                    progress.Outbox = left.ConvertAll(item => item.First);
                    SagaStateWriter.NotBegun(progress);
                },
                dueAt);
            return false;
        }

        services.Log.Working(sending);
        if (left.Count > 0 && !SagaTransitions.IsEnd(leased.Entry.Status))
        {
            // These events cannot be sent without a change of the configuration or the application.
            await writer.HaltAsync(leased, ExceptionText.MessageOf(left[0].Second!), left[0].Second, (progress, _) =>
            {
                (progress.EventsRefused, progress.Outbox) = (true, left.ConvertAll(item => item.First));
                SagaStateWriter.NotBegun(progress);
            });
            return false;
        }

        // The saga has ended, so it cannot need attention: the events are dropped, and that is logged.
        left.ForEach(item => services.Log.SagaEventDropped(definition.Name, leased.Id, item.First.Name, item.First.Id, item.Second!));
        return leased.IsDispatched = true;
    }

    private static bool IsRefusal(PublishException problem) => problem.Failure is PublishFailure.Rejected or PublishFailure.NoSubscriber;
}
