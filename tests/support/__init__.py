"""What tests share: builders of groups and files, receivers, and programs that tests run beside themselves."""
