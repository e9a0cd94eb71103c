using System.Text;
using EventBus;

namespace Checkout.Demo;

/// <summary>Adds the demo to the application, and runs it. Nothing outside this folder knows of it except the two calls in Program.cs.</summary>
internal static class DemoSetup
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static void AddDemo(this WebApplicationBuilder builder)
    {
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton<DemoPager>();
        builder.Services.AddSingleton<IPager>(services => services.GetRequiredService<DemoPager>());

        // A second call adds to the same bus.
        builder.Services.AddEventBus(bus => bus.Use<Journal>());
    }

    /// <summary>Runs the demo to its end, to Ctrl-C, or for a minute.</summary>
    /// <returns>The exit code: 0 when every figure is as promised, 1 otherwise.</returns>
    public static async Task<int> RunDemoAsync(this WebApplication app)
    {
        Console.OutputEncoding = Encoding.UTF8;
        await app.StartAsync();
        try
        {
            using var http = new HttpClient { BaseAddress = new Uri(app.Urls.Single()) };
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(app.Lifetime.ApplicationStopping);
            limit.CancelAfter(Limit);
            var story = new CheckoutDemo(app.Services, new ShopClient(http, app.Services.GetRequiredService<TimeProvider>()));
            return await story.RunAsync(limit.Token) ? 0 : 1;
        }
        catch (OperationCanceledException)
        {
            return GiveUp(app.Lifetime.ApplicationStopping.IsCancellationRequested ? "it was stopped." : $"it took longer than {Limit.TotalSeconds} s.");
        }
        catch (Exception exception)
        {
            return GiveUp(exception.Message);
        }
        finally
        {
            await app.StopAsync();
        }
    }

    private static int GiveUp(string why)
    {
        Screen.Text("", $"The demo did not come to its end: {why}");
        return 1;
    }
}
