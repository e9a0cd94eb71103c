namespace TripBooking.Demo;

/// <summary>
/// Runs the part of the demo in which a process is killed in the middle of a booking, and another one resumes it.
/// </summary>
internal sealed class CrashDemo(Settings settings, string folder, Promises promises)
{
    private const string Hotel = "hotel";

    private readonly Timeline timeline = new(TimeProvider.System, Screen.Show);
    private readonly OutsideWorld world = new(folder);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        Screen.Title("6  The process is killed in the middle of a booking");
        var durable = settings with { Store = settings.Store == "memory" ? "sqlite" : settings.Store, Folder = folder };
        if (settings.Store == "memory")
        {
            Screen.Text("A store in memory would end with the process, and the booking would be lost. From here on it is SQLite.", "");
        }

        timeline.Begin();
        await FirstAsync(durable with { Part = "first" }, cancellationToken);
        var left = world.HeldFor(CrashedPart.TripId);
        var code = await SecondAsync(durable with { Part = "second" }, cancellationToken);
        Screen.Text("", $"Outside there is: {world.HeldFor(CrashedPart.TripId)}.");

        promises.Add("a process is killed after the room was booked, before its answer", left, "flight x 1, hotel x 1");
        promises.Add("  the second process completes the booking", code, 0);
        promises.Add(
            "  the step in the middle is run again, under the same key",
            world.RequestsWith($"{CrashedPart.TripId}/hotel/execute") > 1);
        promises.Add("  the one that was done is not", world.RequestsWith($"{CrashedPart.TripId}/flight/execute"), 1);
        promises.Add(
            "  and nothing is booked twice",
            world.HeldFor(CrashedPart.TripId),
            "flight x 1, hotel x 1, payment x 1, confirmation x 1");
    }

    private async Task FirstAsync(Settings first, CancellationToken cancellationToken)
    {
        using var child = new ChildProcess(first);
        timeline.Add("process 1", $"started, with the id {child.Id}");
        await foreach (var moment in child.ListenAsync(cancellationToken))
        {
            Relay(1, moment);
            if (moment.Who == Hotel)
            {
                child.Kill();
                timeline.Add("process 1", "killed, with SIGKILL, before the step was stored as done");
                break;
            }
        }

        await child.EndAsync(cancellationToken);
    }

    private async Task<int> SecondAsync(Settings second, CancellationToken cancellationToken)
    {
        using var child = new ChildProcess(second);
        timeline.Add("process 2", $"started, with the id {child.Id}; waits until the lease of the first expires");
        await foreach (var moment in child.ListenAsync(cancellationToken))
        {
            Relay(2, moment);
        }

        return await child.EndAsync(cancellationToken);
    }

    private void Relay(int process, Moment moment) => timeline.Add($"{process} {moment.Who}", moment.What, moment.Key);
}
