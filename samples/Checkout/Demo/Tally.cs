namespace Checkout.Demo;

/// <summary>Counts the work of the services between two moments.</summary>
internal sealed class Tally(IServiceProvider services)
{
    private readonly RemoteService[] remote = [.. services.GetServices<RemoteService>()];
    private readonly List<(string Title, int[] Done)> columns = [];
    private int[] start = [];

    public void Start() => start = [.. remote.Select(service => service.Done)];

    /// <summary>Adds the work since the start as a column of the table.</summary>
    public int[] Note(string title)
    {
        int[] done = [.. remote.Zip(start, (service, then) => service.Done - then)];
        columns.Add((title, done));
        return done;
    }

    public void PrintServices()
    {
        foreach (var service in remote)
        {
            Screen.Text($"{service.Work,-24} {Screen.Seconds(service.Takes)}");
        }

        var sum = remote.Aggregate(TimeSpan.Zero, (sum, service) => sum + service.Takes);
        Screen.Text($"{"",-24} ───────", $"{"one after the other",-24} {Screen.Seconds(sum)}");
    }

    public void PrintTable()
    {
        Screen.Text($"{"",-24}{string.Concat(columns.Select(column => $"{column.Title,17}"))}");
        for (var row = 0; row < remote.Length; row++)
        {
            var cells = columns.Select(column => column.Done[row] == 0 ? "-" : $"{column.Done[row]}");
            Screen.Text($"{remote[row].Work,-24}{string.Concat(cells.Select(cell => $"{cell,17}"))}");
        }
    }
}
