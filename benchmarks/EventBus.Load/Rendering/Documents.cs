namespace EventBus.Load;

internal static class Documents
{
    public static int Render(bool check) => 0;
}
