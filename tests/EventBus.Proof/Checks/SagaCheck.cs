namespace EventBus.Proof;

/// <summary>
/// Checks that each saga is executed completely, or compensated in exact reverse order, or has an alert; and that one
/// process at a time executes it.
/// </summary>
internal static class SagaCheck
{
    private static readonly SagaStatus[] AtRest = [SagaStatus.Completed, SagaStatus.Compensated, SagaStatus.NeedsAttention];

    public static void Run(Findings findings, SagaRecord record)
    {
        var timelines = record.Calls.ToLookup(call => call.Saga).ToDictionary(calls => calls.Key, calls => new SagaTimeline([.. calls]));
        findings.Note("sagas", record.Planned.Count);
        findings.Note("at rest without an operator", Ends(record.Rested));
        findings.Note("at the end", Ends(record.Ended));
        findings.None("lost", record.Planned.Keys.Where(saga => !record.Ended.ContainsKey(saga)));
        findings.None("started without a plan", record.Ended.Keys.Where(saga => !record.Planned.ContainsKey(saga)));
        findings.None("stuck", record.Rested.Where(saga => !AtRest.Contains(saga.Value))
            .Concat(record.Ended.Where(saga => !AtRest[..2].Contains(saga.Value)))
            .Select(saga => $"{saga.Key} {saga.Value}"));
        findings.None("at rest in another way than planned", record.Planned.Where(plan => record.Rested.TryGetValue(
            plan.Key,
            out var rested) && rested != plan.Value).Select(plan => $"{plan.Key} {record.Rested[plan.Key]}"));
        findings.Note("attempts of steps", record.Calls.Count(call => call.Mark == ServiceMark.Begun));
        findings.Note("effects repeated, and ignored", record.Calls.Count(call => call.Mark == ServiceMark.Repeated));
        findings.None("executed in another order", Of(timeline => timeline.IsExecutedInOrder));
        findings.None(
            "compensated in another order",
            record.Ended.Where(end => !TimelineOf(end.Key).IsCompensatedAs(end.Value)).Select(end => $"{end.Key} {TimelineOf(end.Key)}"));
        findings.None("leaked effects", record.Ended.Where(end => end.Value == SagaStatus.Compensated)
            .SelectMany(end => TimelineOf(end.Key).LeakedEffects.Select(step => $"{end.Key} {step}")));
        findings.None("missing effects", record.Ended.Where(
            end => end.Value == SagaStatus.Completed && TimelineOf(end.Key).Acted != Parcel.Steps.Count).Select(end => end.Key));
        findings.None("effects twice", Of(timeline => timeline.ActsOnce));
        findings.None("keys of another form", record.Calls.Where(call => call.Mark == ServiceMark.Begun
            && call.Key != $"{Numbers.ToId(call.Saga)}/{call.Step}/{(call.IsUndo ? "compensate" : "execute")}")
                .Select(call => call.Key)
                .Distinct());
        findings.None(
            "two orchestrators at once",
            timelines.SelectMany(timeline => timeline.Value.Overlaps.Select(overlap => $"{timeline.Key} {overlap}")));
        findings.Note("calls after a takeover", timelines.Values.Sum(timeline => timeline.Overtaken));
        findings.None("attempts after the end", Of(timeline => timeline.RunsNothingAfterEnd));
        findings.None("changed by a late reply", record.ChangedLate);
        Alerts(findings, record);
        PublishedEvents(findings, record, TimelineOf);

        SagaTimeline TimelineOf(long saga) => timelines.GetValueOrDefault(saga) ?? new SagaTimeline([]);

        IEnumerable<string> Of(Func<SagaTimeline, bool> holds) =>
            timelines.Where(timeline => !holds(timeline.Value)).Select(timeline => $"{timeline.Key} {timeline.Value}");
    }

    private static void Alerts(Findings findings, SagaRecord record)
    {
        var alerted = record.Alerts.ToHashSet();
        var needing = record.Rested.Where(saga => saga.Value == SagaStatus.NeedsAttention).Select(saga => saga.Key).ToHashSet();
        findings.Note("alerts (distinct, repeated)", $"{alerted.Count:N0}, {record.Alerts.Count - alerted.Count:N0}");
        findings.None("need attention, without an alert", needing.Where(saga => !alerted.Contains(saga)));
        findings.None("alerts without a cause", alerted.Where(saga => !needing.Contains(saga)));
    }

    private static void PublishedEvents(Findings findings, SagaRecord record, Func<long, SagaTimeline> timelineOf)
    {
        var ids = record.PublishedEvents.GroupBy(published => published.Id).ToList();
        var bySaga = ids.Select(copies => copies.First()).ToLookup(published => published.Saga);
        findings.Note("events of sagas (ids, repeated)", $"{ids.Count:N0}, {record.PublishedEvents.Count - ids.Count:N0}");
        findings.None("ends without an event, or not with one", record.Ended.Where(end =>
        {
            var (completed, failed) = (
                bySaga[end.Key].Count(published => published.Name == "saga.completed"),
                bySaga[end.Key].Count(published => published.Name == "saga.failed"));
            return (completed, failed) != (end.Value == SagaStatus.Completed ? (1, 0) : (0, 1));
        }).Select(end => end.Key));
        findings.None("ends with another event", bySaga.SelectMany(own => own)
            .Where(published => published.Name == "saga.failed" && !published.Steps.SequenceEqual(timelineOf(published.Saga).Undone))
            .Select(published => published.Saga));
        findings.None("executed steps without an event, or not with one", record.Ended.Where(end =>
        {
            var executed = timelineOf(end.Key).Executed;
            var announced = bySaga[end.Key].Where(published => published.Name == "saga.step.completed")
                .SelectMany(published => published.Steps)
                .Order();
            return !announced.SequenceEqual((end.Value == SagaStatus.Completed ? executed : executed.SkipLast(1)).Order());
        }).Select(end => end.Key));
    }

    private static string Ends(IReadOnlyDictionary<long, SagaStatus> sagas) => string.Join(
        "  ",
        sagas.Values.GroupBy(status => status).OrderBy(group => group.Key).Select(group => $"{group.Key}: {group.Count():N0}"));
}
