using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Proof;

/// <summary>
/// Runs sagas of five steps while processes are killed before and after every write: each saga is executed completely,
/// or compensated in exact reverse order, or has an alert and is compensated after operators have fixed the cause.
/// </summary>
internal sealed class SagasProof : Proof
{
    private const int Processes = 4;
    private const int AtOnce = 8;
    private const string Intake = "intake";
    private const string AnswerSubscription = "desk";

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMilliseconds(100);

    public override string Name => "sagas";

    public override void Configure(EventBusBuilder bus, VictimSettings settings, Journal journal)
    {
        // More starts than usual: orders, questions and answers suffer from the deaths of their neighbours.
        bus.Retry(12, FirstDelay).Configure(options => options.Retry.MaxDelay = LongestDelay);
        var reaper = AddSagas(bus, settings, journal);
        bus.AddAlert<JournalAlert>();
        bus.Subscribe<ParcelOrdered, TakeOrder>(Intake).Subscribe<Question, AnswerQuestion>(AnswerSubscription);
        Buses.WrapStores(
            bus,
            stores => new ProofStores(stores, sagas: new WatchedSagaStore(stores.Sagas!, new ServiceLedger(settings.Folder), reaper)));
    }

    public override async Task RunAsync(Stage stage, Findings findings)
    {
        var kills = stage.Run.Size(10, 1);
        stage.Settings = stage.Settings with { Concurrency = 4, SagaKills = kills };
        var plans = SagaPlan.Make(stage.Random, stage.Run.Size(10_000, 200), express: stage.Run.Size(100, 6), kills);
        SagaPlan.Write(stage.Folder, plans);
        using var ledger = new ServiceLedger(stage.Folder);
        var faults = Fault.Plan(stage.Random, plans.Count * Parcel.Steps.Count, stage.Run.Size(100, 3));
        await stage.Redis.StartAsync();
        await stage.StartVictimsAsync(Processes);
        await using var office = await SagaStarter.StartAsync(stage.Settings, bus => AddSagas(bus, stage.Settings, null));
        var (rested, late) = (new Dictionary<long, SagaStatus>(), new List<long>());
        try
        {
            var starting = office.StartAllAsync(plans.Where(plan => !plan.IsExpress));
            await RunAsync(
                "Every saga at rest, and alerts sent",
                faults,
                async () => starting.IsCompleted && await stage.Redis.IsIdleAsync("parcel", Group(Intake)) && await office.IsAtRestAsync());
            await starting;

            // Now no process is young: a young one gives replies more time.
            await office.StartAllAsync(plans.Where(plan => plan.IsExpress));
            await RunAsync("Every saga without a reply at rest", [], office.IsAtRestAsync);
            var before = await office.EntriesAsync();
            var versions = before.ToDictionary(entry => entry.Id, entry => entry.Version);
            rested = before.ToDictionary(entry => Numbers.Of(entry.Id), entry => entry.Status);
            await office.AnswerLateAsync(before);
            await RunAsync("Every late reply taken and ignored", [], async () => await stage.Redis.IsIdleAsync(
                "answer",
                Group("saga.ship-parcel")) && await stage.Redis.IsIdleAsync("answer", Group("saga.ship-express")));
            late = [.. (await office.EntriesAsync()).Where(after => SagaTransitions.IsEnd(after.Status)
                && versions.GetValueOrDefault(after.Id) != after.Version).Select(entry => Numbers.Of(entry.Id))];
            ParcelServices.Repair(stage.Folder);
            await office.RetryAsync(before);
            await RunAsync("Every saga that operators retried at its end", [], office.IsAtEndAsync);
            await stage.StopVictimsAsync();
        }
        catch (Exception exception) when (exception is ProofException or TimeoutException)
        {
            findings.Fail(exception.Message);
        }

        SagaCheck.Run(findings, new SagaRecord
        {
            Planned = plans.ToDictionary(plan => plan.Number, plan => plan.Rest),
            Rested = rested,
            Ended = (await office.EntriesAsync()).ToDictionary(entry => Numbers.Of(entry.Id), entry => entry.Status),
            Calls = ledger.ReadAll(),
            Alerts = [.. stage.Journals.Entries.Where(entry => entry.Kind == Kind.Alert).Select(entry => entry.A)],
            News = await SagaStarter.NewsAsync(stage.Redis),
            ChangedLate = late,
        });
        var reached = SagaProcessKiller.Reached(stage.Folder);
        findings.Note("points reached", $"{reached.Count(point => point.Value > 0)} of {reached.Count}, {reached.Values.Sum():N0} times");
        findings.None("points never reached", reached.Where(point => point.Value == 0).Select(point => $"{point.Key}"));

        string Group(string subscription) => $"{stage.Settings.Service}:{subscription}";

        Task RunAsync(string what, Queue<Fault> planned, Func<Task<bool>> done) => stage.RunAsync(what, planned, _ => { }, done);
    }

    /// <summary>The sagas, as victims and harness both know them.</summary>
    private static SagaProcessKiller AddSagas(EventBusBuilder bus, VictimSettings settings, Journal? journal)
    {
        var plans = SagaPlan.Read(settings.Folder);
        var reaper = new SagaProcessKiller(new ProcessKiller(settings.Folder, journal!), plans, settings.SagaKills);
        bus.Services.AddSingleton(plans);
        bus.Services.AddSingleton(new ParcelServices(plans, new ServiceLedger(settings.Folder), reaper, journal, settings.Folder));
        bus.AddSaga<ShipParcel, Parcel>()
            .AddSaga<ShipExpress, ExpressParcel>()
            .Publishes<ParcelOrdered>()
            .Publishes<Question>()
            .Publishes<Answer>();
        bus.Configure(options => options.Sagas.Concurrency = AtOnce);
        return reaper;
    }
}
