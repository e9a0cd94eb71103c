using System.Diagnostics;
using System.Globalization;
using EventBus;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Registration;

/// <summary>Registers at both forms, prints how long each request took, and stops the program.</summary>
public sealed class Visitor(IServer server, IEventBus bus, MailServer mail, IHostApplicationLifetime lifetime) : BackgroundService
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var started = new TaskCompletionSource();
        await using var registration = lifetime.ApplicationStarted.Register(started.SetResult);
        await started.Task.WaitAsync(stoppingToken);

        var address = server.Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        using var http = new HttpClient { BaseAddress = new Uri(address) };

        // The first request of a process takes longer: it opens the connection and compiles code.
        using var first = await http.GetAsync("/", stoppingToken);

        await PostAsync(http, "/api/register/blocking", stoppingToken);
        var sentByRequest = mail.Sent;
        var posted = await PostAsync(http, "/api/register", stoppingToken);
        await bus.WhenIdleAsync(Limit, stoppingToken);
        Print("welcome mail of the second", mail.Sent == sentByRequest + 1 ? "sent" : "missing", Stopwatch.GetElapsedTime(posted));
        lifetime.StopApplication();
    }

    /// <summary>Posts a new user and prints the answer with its time.</summary>
    /// <returns>The timestamp of the request.</returns>
    private static async Task<long> PostAsync(HttpClient http, string path, CancellationToken cancellationToken)
    {
        var posted = Stopwatch.GetTimestamp();
        using var response = await http.PostAsJsonAsync(path, new NewUser("ada@example.com"), cancellationToken);
        Print($"POST {path}", $"{(int)response.StatusCode} {response.ReasonPhrase}", Stopwatch.GetElapsedTime(posted));
        return posted;
    }

    private static void Print(string what, string answer, TimeSpan time) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what,-28} {answer,-8} {time.TotalSeconds:0.00} s"));
}

public static class VisitorExtensions
{
    public static void AddVisitor(this WebApplicationBuilder builder)
    {
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls("http://127.0.0.1:0"); // a free port
        builder.Services.AddHostedService<Visitor>();
    }
}
